/* Byte-pair encoding of pieces of any length in linear time and bounded memory.
 *
 * Two facts carry it, for any list of merges:
 *   1. Where the encoding of a text has a boundary between tokens, it is the encodings of the two
 *      parts side by side: no merge crossed the boundary, so neither part saw the other.
 *   2. Two encodings stand side by side in the encoding of the joined text if and only if the last
 *      token of the one and the first of the other, as a text of two tokens, stay these two: a
 * merge across the boundary happens in the small text if and only if it happens in the large one.
 * So an encoding is a chain of tokens, each of which stays with its neighbour; every beginning of a
 * text has exactly one. bpe_long_encode finds the chain from the left, the longest token first, and
 * steps back where it ends; positions from which there is no way are remembered and not tried
 * twice.
 *
 * A piece that does not fit into memory is worked on window by window: bpe_long_settled says how
 * many tokens at a window's beginning stay whatever follows. */
#ifndef BPE_LONG_H
#define BPE_LONG_H

#include "vocab.h"

struct bpe_rank;
struct bpe_long; /* tables over a vocabulary; immutable once made */

gpt2c_status bpe_long_create(struct bpe_long **out, const struct vocab *vocab, gpt2c_error *err);
void bpe_long_free(struct bpe_long *tables); /* NULL ok */

struct bpe_long_scratch {   /* of one thread; zeroed to begin */
    uint64_t *dead;         /* a bit per position: no chain goes on from here */
    size_t cap_dead;        /* words */
    uint64_t *known;        /* pairs asked for lately, and the answers */
    size_t n_unknown;       /* pairs of this piece that were not among them */
    struct bpe_rank *ranks; /* for pieces full of those */
    uint32_t *first, *last; /* bpe_long_settled */
    size_t cap_settled;
};

void bpe_long_scratch_free(struct bpe_long_scratch *scratch);

/* Tokens of a piece of n > 0 bytes, into out [n]; *n_out how many. */
gpt2c_status bpe_long_encode(const struct bpe_long *tables, struct bpe_long_scratch *scratch,
                             const unsigned char *piece, size_t n, uint32_t *out, size_t *n_out,
                             gpt2c_error *err);

/* Of the tokens tok [n_tok] of a piece's first n bytes, how many from the left belong to the
 * encoding of the piece whatever its further bytes are; *n_bytes what they cover. 0 where that
 * cannot be told from n bytes: then more are needed. whole_chars: they are to end with a UTF-8
 * character. */
gpt2c_status bpe_long_settled(const struct bpe_long *tables, struct bpe_long_scratch *scratch,
                              const unsigned char *piece, size_t n, bool whole_chars,
                              const uint32_t *tok, size_t n_tok, size_t *n_settled, size_t *n_bytes,
                              gpt2c_error *err);

#endif
