/* Addresses of the key and value cache. */
#include "kvcache.h"

#include "kernels/kernels.h"
#include "status.h"

#include <string.h>

/* Floats of one head's keys. */
static size_t k_head_size(const struct kvcache *kv)
{
    return (size_t)kv->n_block * KV_BLOCK * (size_t)kv->d_head;
}

static size_t v_head_size(const struct kvcache *kv)
{
    return (size_t)kv->n_ctx * (size_t)kv->d_head;
}

static size_t head_index(const struct kvcache *kv, int32_t il, int32_t seq, int32_t ih)
{
    return ((size_t)il * (size_t)kv->n_seq + (size_t)seq) * (size_t)kv->n_head + (size_t)ih;
}

void kvcache_layout(struct kvcache *kv, struct arena *arena)
{
    kv->n_block = kv->n_ctx / KV_BLOCK + (kv->n_ctx % KV_BLOCK != 0);
    size_t n_heads;
    size_mul((size_t)kv->n_layer * (size_t)kv->n_seq, (size_t)kv->n_head, &n_heads);
    kv->k = arena_carve(arena, n_heads, k_head_size(kv) * sizeof *kv->k);
    kv->v = arena_carve(arena, n_heads, v_head_size(kv) * sizeof *kv->v);
}

float *kvcache_k(const struct kvcache *kv, int32_t il, int32_t seq, int32_t ih)
{
    return kv->k + head_index(kv, il, seq, ih) * k_head_size(kv);
}

float *kvcache_v(const struct kvcache *kv, int32_t il, int32_t seq, int32_t ih)
{
    return kv->v + head_index(kv, il, seq, ih) * v_head_size(kv);
}

void kvcache_append(const struct kvcache *kv, int32_t il, int32_t seq, int32_t ih, int32_t pos,
                    int32_t n_tok, const float *k, const float *v, size_t ld)
{
    float *k_head = kvcache_k(kv, il, seq, ih);
    float *v_head = kvcache_v(kv, il, seq, ih);
    const size_t d_head = (size_t)kv->d_head;
    for (int32_t it = 0; it < n_tok; it++) {
        const size_t iv = (size_t)pos + (size_t)it;
        float *block = k_head + iv / KV_BLOCK * KV_BLOCK * d_head + iv % KV_BLOCK;
        for (size_t d = 0; d < d_head; d++) {
            block[d * KV_BLOCK] = k[(size_t)it * ld + d];
        }
        memcpy(v_head + iv * d_head, v + (size_t)it * ld, d_head * sizeof *v);
    }
}

void kvcache_copy(const struct kvcache *kv, int32_t src, int32_t dst, int32_t n_pos)
{
    const size_t d_head = (size_t)kv->d_head;
    const size_t n_block = ((size_t)n_pos + KV_BLOCK - 1) / KV_BLOCK;
    for (int32_t il = 0; il < kv->n_layer; il++) {
        for (int32_t ih = 0; ih < kv->n_head; ih++) {
            memcpy(kvcache_k(kv, il, dst, ih), kvcache_k(kv, il, src, ih),
                   n_block * KV_BLOCK * d_head * sizeof *kv->k);
            memcpy(kvcache_v(kv, il, dst, ih), kvcache_v(kv, il, src, ih),
                   (size_t)n_pos * d_head * sizeof *kv->v);
        }
    }
}
