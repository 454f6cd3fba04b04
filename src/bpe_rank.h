/* Byte-pair encoding rank by rank, for pieces of up to 20 KiB and ordered vocabularies: those where
 * no merge uses what a later one makes, and no two make the same. There a merge only brings up
 * pairs of higher rank, so one pass over the ranks meets every merge in its time. The time does not
 * depend on how tokens follow each other, where bpe_long.h is the faster way for texts that repeat.
 */
#ifndef BPE_RANK_H
#define BPE_RANK_H

#include "vocab.h"

#define BPE_RANK_MAX ((size_t)20 << 10)

struct bpe_rank; /* scratch of one thread for one vocabulary */

gpt2c_status bpe_rank_create(struct bpe_rank **out, const struct vocab *vocab, gpt2c_error *err);
void bpe_rank_free(struct bpe_rank *ranks); /* NULL ok */

/* Tokens of a piece of 1 … BPE_RANK_MAX bytes, into out [n]; returns how many. */
size_t bpe_rank_encode(struct bpe_rank *ranks, const unsigned char *piece, size_t n, uint32_t *out);

#endif
