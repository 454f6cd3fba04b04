/* What holds for every vocabulary that opened, whatever its files were. */
#ifndef CHECK_VOCAB_H
#define CHECK_VOCAB_H

#include "bpe.h"
#include "bpe_long.h"

#include <stdlib.h>
#include <string.h>

/* A text of its own tokens merges alike by the definition and by the fast way. */
static inline void check_vocab(const struct vocab *v)
{
    unsigned char text[256];
    uint32_t right[256];
    uint32_t found[256];
    struct bpe_long *tables = NULL;
    struct bpe_long_scratch scratch = {0};
    size_t n = 0;
    size_t at = 0;
    size_t n_found = 0;
    for (uint32_t id = v->n_vocab; id-- > 0;) {
        size_t n_bytes = 0;
        const unsigned char *const bytes = vocab_bytes(v, id, &n_bytes);
        if (n_bytes == 0 || n_bytes > VOCAB_MAX_TOKEN_BYTES ||
            (!vocab_is_special(v, id) && vocab_find(v, bytes, n_bytes) == VOCAB_NONE)) {
            abort();
        }
        if (n_bytes <= sizeof text - n) {
            memcpy(text + n, bytes, n_bytes);
            n += n_bytes;
        }
    }
    for (size_t i = 0; i < n; i++) {
        right[i] = v->byte_token[text[i]];
    }
    size_t n_right = n;
    while (bpe_step(v, right, &n_right, &at) != VOCAB_NONE) {
    }
    if (bpe_long_create(&tables, v, NULL) == GPT2C_OK &&
        (bpe_long_encode(tables, &scratch, text, n, found, &n_found, NULL) || n_found != n_right ||
         memcmp(found, right, n_right * sizeof *right) != 0)) {
        abort();
    }
    bpe_long_scratch_free(&scratch);
    bpe_long_free(tables);
}

#endif
