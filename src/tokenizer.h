/* What the tokenizer's files share. */
#ifndef TOKENIZER_H
#define TOKENIZER_H

#include "bpe_long.h"
#include "vocab.h"

struct tokenizer_lazy { /* made when first needed, by whichever thread */
    _Atomic(struct bpe_long *) long_tables;
};

struct gpt2c_tokenizer {
    struct vocab vocab;
    struct tokenizer_lazy *lazy;
};

/* The tables for long pieces; the first call makes them. Borrowed until close. */
gpt2c_status tokenizer_long_tables(const gpt2c_tokenizer *tokenizer, const struct bpe_long **out,
                                   gpt2c_error *err);

/* The first special token in [p, end): where it begins, and *id. Without one: end, and VOCAB_NONE;
 * or, when the text goes on (not final), where one may begin that ends past `end`. */
const unsigned char *tokenizer_find_special(const gpt2c_tokenizer *tokenizer,
                                            const unsigned char *p, const unsigned char *end,
                                            bool final, uint32_t *id);

/* The error of GPT2C_SPECIAL_ERROR. */
gpt2c_status tokenizer_refuse_special(const gpt2c_tokenizer *tokenizer, uint32_t id, uint64_t pos,
                                      gpt2c_error *err);

#endif
