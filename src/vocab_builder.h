/* A vocabulary in the making: tokens one by one, then merges one by one, as a file has them. */
#ifndef VOCAB_BUILDER_H
#define VOCAB_BUILDER_H

#include "vocab.h"

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

#endif
