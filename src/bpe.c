/* Merging by scanning for the lowest rank: the fastest way for pieces of the length of a word. */
#include "bpe.h"

#include <string.h>

size_t bpe_encode(const struct vocab *vocab, const unsigned char *piece, size_t n, uint32_t *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = vocab->byte_token[piece[i]];
    }
    for (;;) {
        uint32_t best = VOCAB_NONE;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            const uint32_t rank = vocab_rank(vocab, out[i], out[i + 1]);
            if (rank < best) {
                best = rank;
                at = i;
            }
        }
        if (best == VOCAB_NONE) {
            return n;
        }
        out[at] = vocab->made[best];
        memmove(out + at + 1, out + at + 2, (n - at - 2) * sizeof *out);
        n--;
    }
}
