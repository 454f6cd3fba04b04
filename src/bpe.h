/* Byte-pair encoding of one piece: of all adjacent pairs that a merge knows, the one of lowest rank
 * first, the leftmost of equals, until none is left. This file has it as it is defined, which is
 * the fastest way for pieces of a few words and too slow for long ones: those go to bpe_long.h. */
#ifndef BPE_H
#define BPE_H

#include "vocab.h"

enum { BPE_SHORT = 64 }; /* bytes: no longer pieces */

/* Tokens of a piece of 1 … BPE_SHORT bytes, into out [n]; returns how many. */
size_t bpe_encode(const struct vocab *vocab, const unsigned char *piece, size_t n, uint32_t *out);

/* One merge in tok [*n_tok] of any length: the rank applied and the index of the token made, or
 * VOCAB_NONE when no merge applies any more. */
uint32_t bpe_step(const struct vocab *vocab, uint32_t *tok, size_t *n_tok, size_t *at);

#endif
