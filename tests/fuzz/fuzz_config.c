/* config.json of any bytes: refused, or sizes that a model can have. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static void on_log(void *user, const char *line)
{
    *(size_t *)user += strlen(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct config config;
    gpt2c_error err = {0};
    size_t n_notes = 0;
    if (config_read(&config, "fuzz", data, n_bytes, on_log, &n_notes, &err)) {
        if (!err.msg[0]) {
            abort();
        }
        return 0;
    }
    const gpt2c_hparams *hp = &config.hp;
    if (hp->n_layer < 1 || hp->n_head < 1 || hp->n_embd % hp->n_head || hp->n_ctx < 1 ||
        hp->n_vocab < 1 || hp->n_ff < 1 || hp->bos < -1 || hp->bos >= hp->n_vocab ||
        hp->eos < -1 || hp->eos >= hp->n_vocab || !(hp->layer_norm_epsilon >= 0)) {
        abort();
    }
    return 0;
}
