/* Merging by looking for the lowest rank. The ranks of all pairs are kept; a merge changes two. */
#include "bpe.h"

#include <string.h>

size_t bpe_encode(const struct vocab *vocab, const unsigned char *piece, size_t n, uint32_t *out)
{
    uint32_t rank[BPE_SHORT]; /* of out[i] and out[i + 1] */
    for (size_t i = 0; i < n; i++) {
        out[i] = vocab->byte_token[piece[i]];
    }
    for (size_t i = 0; i + 1 < n; i++) {
        rank[i] = vocab->byte_pairs[piece[i] << 8 | piece[i + 1]];
    }
    rank[n - 1] = VOCAB_NONE;
    for (;;) {
        uint32_t best = VOCAB_NONE;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            at = rank[i] < best ? i : at;
            best = rank[i] < best ? rank[i] : best;
        }
        if (best == VOCAB_NONE) {
            return n;
        }
        out[at] = vocab->made[best];
        n--;
        for (size_t i = at + 1; i < n; i++) {
            out[i] = out[i + 1];
            rank[i] = rank[i + 1];
        }
        rank[at] = at + 1 < n ? vocab_rank(vocab, out[at], out[at + 1]) : VOCAB_NONE;
        if (at > 0) {
            rank[at - 1] = vocab_rank(vocab, out[at - 1], out[at]);
        }
    }
}

uint32_t bpe_step(const struct vocab *vocab, uint32_t *tok, size_t *n_tok, size_t *at)
{
    uint32_t best = VOCAB_NONE;
    for (size_t i = 0; i + 1 < *n_tok; i++) {
        const uint32_t rank = vocab_rank(vocab, tok[i], tok[i + 1]);
        if (rank < best) {
            best = rank;
            *at = i;
        }
    }
    if (best != VOCAB_NONE) {
        tok[*at] = vocab->made[best];
        memmove(tok + *at + 1, tok + *at + 2, (*n_tok - *at - 2) * sizeof *tok);
        (*n_tok)--;
    }
    return best;
}
