/* Byte-pair encoding of one piece: of all adjacent pairs that a merge knows, the one of lowest rank
 * first, the leftmost of equals, until none is left. */
#ifndef BPE_H
#define BPE_H

#include "vocab.h"

/* Tokens of a piece of n > 0 bytes, into out [n]; returns how many. */
size_t bpe_encode(const struct vocab *vocab, const unsigned char *piece, size_t n, uint32_t *out);

#endif
