/* The vocabulary: the bytes of every token, its name in both directions, and the merges. Built once
 * by vocab_files.c or vocab_hf.c through vocab_builder.h, which refuses whatever does not
 * agree, and never changed after. */
#ifndef VOCAB_H
#define VOCAB_H

#include "arena.h"

#define VOCAB_NONE UINT32_MAX
#define VOCAB_MAX_FILE_BYTES ((size_t)16 << 20)

enum {
    VOCAB_ID_BITS = 20,   /* tokens: at most 2^20 */
    VOCAB_RANK_BITS = 24, /* merges: at most 2^24 */
    VOCAB_FILTER_BITS = 19,
    VOCAB_MAX_SPECIALS = 256,
    VOCAB_MAX_TOKEN_BYTES = 1024
};

enum vocab_origin { /* what makes a token */
                    VOCAB_ORIGIN_NONE,
                    VOCAB_ORIGIN_RAW, /* nothing so far, and it holds characters that stand for no
                                         byte */
                    VOCAB_ORIGIN_BYTE,
                    VOCAB_ORIGIN_MERGE,
                    VOCAB_ORIGIN_SPECIAL
};

struct vocab {
    struct arena tables; /* what the pointers below point into */
    uint32_t n_vocab;
    uint32_t n_merges;
    uint32_t max_bytes;       /* of the longest token that is not special                */
    uint32_t max_special;     /* of the longest special one                              */
    uint32_t byte_token[256]; /* the token of one byte                                   */
    uint16_t byte_char[256];  /* the character that stands for a byte in the files       */
    unsigned char *bytes;     /* all tokens' bytes, by id                                */
    uint32_t *begin;          /* [n_vocab + 1] into bytes                                */
    uint32_t *made;           /* [n_merges] the token that a merge makes                 */
    uint64_t *pairs;          /* left, right and rank in one word; open addressing       */
    unsigned pairs_shift;
    uint64_t *pairs_filter; /* a bit for the first bits of a pair's hash: set for those there are */
    uint32_t *byte_pairs;   /* [256 * 256] ranks of the merges of two bytes, or VOCAB_NONE */
    uint32_t *names;        /* id + 1 and bits of the hash; open addressing */
    unsigned names_shift;
    uint32_t n_specials;
    uint32_t *specials;          /* [n_specials] ids; by first byte, then the longest first */
    uint16_t special_first[257]; /* specials of first byte b: special_first[b] … [b + 1] */
    uint8_t *origin;             /* [n_vocab] enum vocab_origin                             */
    uint32_t eos;                /* <|endoftext|>, or VOCAB_NONE                            */
};

void vocab_free(struct vocab *vocab); /* a zeroed one is ok */

static inline const unsigned char *vocab_bytes(const struct vocab *vocab, uint32_t id, size_t *n)
{
    *n = vocab->begin[id + 1] - vocab->begin[id];
    return vocab->bytes + vocab->begin[id];
}

/* The token with exactly these bytes; VOCAB_NONE when there is none. */
uint32_t vocab_find(const struct vocab *vocab, const unsigned char *bytes, size_t n_bytes);
bool vocab_is_special(const struct vocab *vocab, uint32_t id);

/* 64 less the bits of an index into a table of at least 2 n slots. */
unsigned vocab_table_shift(size_t n);

static inline uint64_t vocab_pair_hash(uint64_t pair)
{
    return pair * UINT64_C(0x9e3779b97f4a7c15);
}

/* The rank of the merge of two tokens; VOCAB_NONE when there is none. A slot holds left in its high
 * bits, then right, then the rank; all ones is an empty slot, which no pair reaches. Most pairs of
 * a text have no merge: the filter says so of nine in ten, and stays in the processor's cache. */
static inline uint32_t vocab_rank(const struct vocab *vocab, uint32_t left, uint32_t right)
{
    const uint64_t pair = (uint64_t)left << VOCAB_ID_BITS | right;
    const uint64_t hash = vocab_pair_hash(pair);
    const uint64_t bit = hash >> (64 - VOCAB_FILTER_BITS);
    if (!(vocab->pairs_filter[bit / 64] >> (bit % 64) & 1)) {
        return VOCAB_NONE;
    }
    size_t at = (size_t)(hash >> vocab->pairs_shift);
    const size_t mask = ((size_t)1 << (64 - vocab->pairs_shift)) - 1;
    for (;;) {
        const uint64_t slot = vocab->pairs[at];
        if (slot >> VOCAB_RANK_BITS == pair) {
            return (uint32_t)(slot & ((1u << VOCAB_RANK_BITS) - 1));
        }
        if (slot == UINT64_MAX) {
            return VOCAB_NONE;
        }
        at = (at + 1) & mask;
    }
}

/* On failure, too, *vocab is to be freed. */
gpt2c_status vocab_files_load(struct vocab *vocab, const char *vocab_json, const char *merges_txt,
                              gpt2c_error *err);
gpt2c_status vocab_hf_load(struct vocab *vocab, const char *tokenizer_json, gpt2c_error *err);

#endif
