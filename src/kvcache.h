/* The key and value cache of a session: where a position's keys and values stand. Keys lie in
 * blocks of 16 positions, so that a vector holds one coordinate of 16 keys; values lie by position.
 * Both run through memory in the order in which attention reads them. */
#ifndef KVCACHE_H
#define KVCACHE_H

#include "arena.h"
#include "gpt2c/gpt2c.h"

struct kvcache {
    float *k; /* [n_layer][n_seq][n_head][n_block][d_head][16] */
    float *v; /* [n_layer][n_seq][n_head][n_ctx][d_head]       */
    int32_t n_layer, n_seq, n_head, n_ctx, d_head;
    int32_t n_block; /* ceil(n_ctx / 16) */
};

/* Carves k and v; the sizes are set before. */
void kvcache_layout(struct kvcache *kv, struct arena *arena);
float *kvcache_k(const struct kvcache *kv, int32_t il, int32_t seq, int32_t ih);
float *kvcache_v(const struct kvcache *kv, int32_t il, int32_t seq, int32_t ih);
/* Writes n_tok positions from pos on of one head: k and v [n_tok][ld], d_head of each row. */
void kvcache_append(const struct kvcache *kv, int32_t il, int32_t seq, int32_t ih, int32_t pos,
                    int32_t n_tok, const float *k, const float *v, size_t ld);
/* The first n_pos positions of sequence src to dst. */
void kvcache_copy(const struct kvcache *kv, int32_t src, int32_t dst, int32_t n_pos);

#endif
