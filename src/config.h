/* config.json: the sizes of the model, and the settings that change what it computes. */
#ifndef CONFIG_H
#define CONFIG_H

#include "gpt2c/gpt2c.h"

#define CONFIG_MAX_BYTES ((size_t)1 << 20)

struct config {
    gpt2c_hparams hp;
    bool tie_word_embeddings;
};

/* Reads text [n_bytes] of the file `path` (for messages). Missing settings have Hugging Face's
 * defaults. GPT2C_E_UNSUPPORTED names a setting that asks for another computation than GPT-2's; log
 * (NULL ok) receives notes on unknown ones. */
gpt2c_status config_read(struct config *out, const char *path, const unsigned char *text,
                         size_t n_bytes, gpt2c_log_fn log, void *log_user, gpt2c_error *err);

#endif
