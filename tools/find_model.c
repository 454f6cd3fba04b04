/* Where the model is: -m, else $GPT2C_MODEL. */
#include "cli.h"

#include <stdlib.h>

int cli_find_model(const struct cli_common *common, char *path, size_t cap)
{
    const char *model = common->model ? common->model : getenv("GPT2C_MODEL");
    if (!model || !*model) {
        return cli_fail(EXIT_MODEL, "no model: give its folder with -m");
    }
    if ((size_t)snprintf(path, cap, "%s", model) >= cap) {
        return cli_fail(EXIT_USAGE, "--model: the path is too long");
    }
    return EXIT_OK;
}
