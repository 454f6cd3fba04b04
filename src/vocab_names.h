/* The table from the bytes of a token to its id, as vocab_builder.c fills it. */
#ifndef VOCAB_NAMES_H
#define VOCAB_NAMES_H

#include "vocab.h"

#include <string.h>

/* Names are read eight bytes at a time, past their end where they lie: those who keep them leave
 * room. */
enum { VOCAB_NAMES_PADDING = 8 };

/* Probing as long as this happens in no honest table at half load; it bounds the time that a file
 * with chosen collisions can take. */
enum { VOCAB_NAMES_MAX_PROBES = 512 };

/* The first n < 8 bytes. */
static inline uint64_t vocab_names_tail(const unsigned char *p, size_t n)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return n ? word >> (64 - 8 * n) : 0;
#else
    return word & ~(UINT64_MAX << (8 * n));
#endif
}

static inline uint64_t vocab_names_hash(const unsigned char *p, size_t n)
{
    uint64_t h = n * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t word;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&word, p, sizeof word);
        h = (h ^ word) * UINT64_C(0xd6e8feb86659fd93);
        h ^= h >> 32;
    }
    h = (h ^ vocab_names_tail(p, n)) * UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 32;
    return h * UINT64_C(0x9e3779b97f4a7c15);
}

static inline bool vocab_names_same(const unsigned char *a, const unsigned char *b, size_t n)
{
    return n < 8 ? vocab_names_tail(a, n) == vocab_names_tail(b, n) : memcmp(a, b, n) == 0;
}

static inline uint32_t vocab_names_id(uint32_t slot)
{
    return (slot & ((1u << VOCAB_ID_BITS) - 1)) - 1;
}

/* The slot that holds the name, or the empty one where it belongs; NULL when probing takes too
 * long. A slot is 0, or id + 1 below and bits of the hash above. */
static inline uint32_t *vocab_names_slot(const struct vocab *vocab, const unsigned char *bytes,
                                         size_t n_bytes, uint32_t *tag)
{
    const uint64_t h = vocab_names_hash(bytes, n_bytes);
    const size_t mask = ((size_t)1 << (64 - vocab->names_shift)) - 1;
    size_t at = (size_t)(h >> vocab->names_shift);
    *tag = (uint32_t)h << VOCAB_ID_BITS;
    for (int i = 0; i < VOCAB_NAMES_MAX_PROBES; i++) {
        uint32_t *const slot = &vocab->names[at];
        if (*slot == 0) {
            return slot;
        }
        if ((*slot ^ *tag) >> VOCAB_ID_BITS == 0) {
            size_t n = 0;
            const unsigned char *const found = vocab_bytes(vocab, vocab_names_id(*slot), &n);
            if (n == n_bytes && vocab_names_same(found, bytes, n)) {
                return slot;
            }
        }
        at = (at + 1) & mask;
    }
    return NULL;
}

static inline uint32_t vocab_names_find(const struct vocab *vocab, const unsigned char *bytes,
                                        size_t n_bytes)
{
    uint32_t tag = 0;
    if (n_bytes == 1) {
        return vocab->byte_token[bytes[0]];
    }
    const uint32_t *const slot = vocab_names_slot(vocab, bytes, n_bytes, &tag);
    return slot && *slot ? vocab_names_id(*slot) : VOCAB_NONE;
}

#endif
