/* Looking up tokens by their bytes, and the end of a vocabulary. */
#include "vocab.h"

#include "vocab_names.h"

void vocab_free(struct vocab *vocab)
{
    arena_free(&vocab->tables);
    memset(vocab, 0, sizeof *vocab);
}

bool vocab_is_special(const struct vocab *vocab, uint32_t id)
{
    return vocab->origin[id] == VOCAB_ORIGIN_SPECIAL;
}

unsigned vocab_table_shift(size_t n)
{
    unsigned bits = 4;
    while (((size_t)1 << bits) < 2 * n) {
        bits++;
    }
    return 64 - bits;
}

uint32_t vocab_find(const struct vocab *vocab, const unsigned char *bytes, size_t n_bytes)
{
    for (uint32_t i = 0; i < vocab->n_specials; i++) {
        size_t n = 0;
        const unsigned char *const special = vocab_bytes(vocab, vocab->specials[i], &n);
        if (n == n_bytes && memcmp(special, bytes, n) == 0) {
            return vocab->specials[i];
        }
    }
    unsigned char padded[VOCAB_MAX_TOKEN_BYTES + VOCAB_NAMES_PADDING] = {0};
    if (n_bytes == 0 || n_bytes > VOCAB_MAX_TOKEN_BYTES) {
        return VOCAB_NONE;
    }
    memcpy(padded, bytes, n_bytes);
    return vocab_names_find(vocab, padded, n_bytes);
}
