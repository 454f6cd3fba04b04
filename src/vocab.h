/* The vocabulary: the bytes of every token, its name in both directions, and the merges. Built once
 * by vocab_files.c or vocab_hf.c through struct vocab_builder, which refuses whatever does not
 * agree, and never changed after. */
#ifndef VOCAB_H
#define VOCAB_H

#include "arena.h"

#define VOCAB_NONE UINT32_MAX
#define VOCAB_MAX_FILE_BYTES ((size_t)16 << 20)

enum {
    VOCAB_ID_BITS = 20,   /* tokens: at most 2^20 */
    VOCAB_RANK_BITS = 24, /* merges: at most 2^24 */
    VOCAB_MAX_SPECIALS = 256,
    VOCAB_MAX_TOKEN_BYTES = 1024
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
    uint32_t *names; /* id + 1 and bits of the hash; open addressing */
    unsigned names_shift;
    uint32_t n_specials;
    uint32_t *specials;          /* [n_specials] ids; by first byte, then the longest first */
    uint16_t special_first[257]; /* specials of first byte b: special_first[b] … [b + 1] */
    uint8_t *origin;             /* [n_vocab] what makes a token: vocab.c's own             */
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

static inline size_t vocab_pair_slot(const struct vocab *vocab, uint64_t pair)
{
    return (size_t)(pair * UINT64_C(0x9e3779b97f4a7c15) >> vocab->pairs_shift);
}

/* The rank of the merge of two tokens; VOCAB_NONE when there is none. A slot holds left in its high
 * bits, then right, then the rank; all ones is an empty slot, which no pair reaches. */
static inline uint32_t vocab_rank(const struct vocab *vocab, uint32_t left, uint32_t right)
{
    const uint64_t pair = (uint64_t)left << VOCAB_ID_BITS | right;
    size_t at = vocab_pair_slot(vocab, pair);
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

/* ---- building -------------------------------------------------------------------------------- */

struct vocab_entry {
    uint32_t id;
    uint32_t at;           /* in the builder's bytes                                      */
    uint32_t n_bytes : 30; /* the last one:                                               */
    uint32_t raw : 1;      /* plainly written: holds characters that stand for no byte, or … */
    uint32_t added : 1;    /* … because it is one that stands for itself in a text         */
};

struct vocab_builder {
    struct vocab *vocab;
    const char *tokens_file, *merges_file; /* for messages          */
    const char *unit;                      /* "line" or "merge"     */
    size_t number;                         /* of the unit at hand   */
    bool has_added;                        /* the file says which tokens are special */
    uint8_t char_byte[0x144];
    bool char_known[0x144];
    struct vocab_entry *entries; /* until sealed */
    size_t n_entries, cap_entries;
    unsigned char *bytes;
    size_t n_bytes, cap_bytes;
    unsigned char *scratch;
    size_t cap_scratch;
};

/* vocab: zeroed. tokens_bytes: size of the file with the tokens, which bounds their number and
 * their bytes. */
gpt2c_status vocab_builder_init(struct vocab_builder *builder, struct vocab *vocab,
                                size_t tokens_bytes, gpt2c_error *err);
void vocab_builder_free(struct vocab_builder *builder);
/* Texts are UTF-8 as the files have them, where one character stands for one byte. */
gpt2c_status vocab_builder_token(struct vocab_builder *builder, const char *text, size_t n_text,
                                 uint32_t id, gpt2c_error *err);
/* A token that stands for itself in a text, plainly written; perhaps one of the vocabulary. */
gpt2c_status vocab_builder_added(struct vocab_builder *builder, const char *text, size_t n_text,
                                 uint32_t id, gpt2c_error *err);
/* Between the last token and the first merge. n_merges: no more than that will come. */
gpt2c_status vocab_builder_seal(struct vocab_builder *builder, size_t n_merges, gpt2c_error *err);
/* After sealing. */
gpt2c_status vocab_builder_merge(struct vocab_builder *builder, const char *left, size_t n_left,
                                 const char *right, size_t n_right, gpt2c_error *err);
/* The same for two texts with one space between them. */
gpt2c_status vocab_builder_line(struct vocab_builder *builder, const char *line, size_t n,
                                gpt2c_error *err);
gpt2c_status vocab_builder_finish(struct vocab_builder *builder, gpt2c_error *err);

/* ---- files ----------------------------------------------------------------------------------- */

/* On failure, too, *vocab is to be freed. */
gpt2c_status vocab_files_load(struct vocab *vocab, const char *vocab_json, const char *merges_txt,
                              gpt2c_error *err);
gpt2c_status vocab_hf_load(struct vocab *vocab, const char *tokenizer_json, gpt2c_error *err);

#endif
