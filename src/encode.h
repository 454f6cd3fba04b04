/* Text to ids on one thread: special tokens, pieces, and a cache of pieces seen before. */
#ifndef ENCODE_H
#define ENCODE_H

#include "pretokenize.h"
#include "tokenizer.h"

/* Bytes of text worked on at once, of which a piece too long for memory is settled a part. */
#define ENCODE_BLOCK ((size_t)64 << 10)
/* The most that may pass without a place to cut it; no text in GPT-2's vocabulary comes near. */
#define ENCODE_MAX_BLOCK ((size_t)64 << 20)

struct encode_set;

struct encode { /* of one thread */
    const gpt2c_tokenizer *tokenizer;
    gpt2c_special special;
    void *block;              /* holds the cache, */
    struct encode_set *cache; /* at a multiple of 64 bytes */
    unsigned cache_shift;
    struct bpe_long_scratch scratch;
    uint32_t *out; /* [cap_out] the ids of a block */
    size_t cap_out;
    uint64_t pos; /* bytes of the text before what encode_text is given: for messages */
    bool open;    /* the text goes on inside a piece with a run of this class */
    enum pretokenize_class class;
};

/* text_bytes: about how much text is to come, for the size of the cache. */
gpt2c_status encode_init(struct encode *e, const gpt2c_tokenizer *tokenizer, gpt2c_special special,
                         size_t text_bytes, gpt2c_error *err);
void encode_free(struct encode *e);
void encode_restart(struct encode *e); /* forget the text, keep the cache */

/* Encodes what can be told of text [n], final: all of it. *n_used are the bytes that are done; the
 * others are to be given again with more behind them. */
gpt2c_status encode_text(struct encode *e, const unsigned char *text, size_t n, bool final,
                         gpt2c_tokens_fn fn, void *user, size_t *n_used, gpt2c_error *err);

#endif
