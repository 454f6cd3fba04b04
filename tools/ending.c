/* File names and what they end in. */
#include "ending.h"

#include <string.h>
#include <strings.h>

static const char *const names[] = {"", ".png", ".npy", ".csv", ".json"};

static bool ends_with(const char *path, const char *name)
{
    const size_t n_path = strlen(path);
    const size_t n_name = strlen(name);
    return n_path > n_name && strcasecmp(path + n_path - n_name, name) == 0;
}

int ending_find(const struct cli_common *common, const enum ending *allowed, enum ending *out)
{
    const char *path = common->output;
    char list[64] = "";
    size_t n = 0;
    *out = ENDING_NONE;
    if (!path) {
        return EXIT_OK;
    }
    if (strcmp(path, "-") == 0) {
        *out = allowed[0];
        return common->json ? cli_fail(EXIT_USAGE, "-o - and --json both write to stdout")
                            : EXIT_OK;
    }
    for (int i = 0; allowed[i]; i++) {
        if (ends_with(path, names[allowed[i]])) {
            *out = allowed[i];
            return EXIT_OK;
        }
        const char *before = i == 0 ? "" : allowed[i + 1] ? ", " : " or ";
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", before, names[allowed[i]]);
    }
    return cli_fail(EXIT_USAGE, "-o %s: the name must end in %s", path, list);
}
