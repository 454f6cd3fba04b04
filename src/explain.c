/* How ids come about, step by step: the splitting and merging of encode.c, told as it happens. */
#include "bpe.h"
#include "pretokenize.h"
#include "status.h"
#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_PIECE = 1024 }; /* bytes: the steps of a piece print their tokens anew each time */

struct explain {
    const gpt2c_tokenizer *tokenizer;
    gpt2c_explain_fn fn;
    void *user;
    gpt2c_explain_step step;
    uint32_t tok[MAX_PIECE];
};

static gpt2c_status tell(struct explain *x, const uint32_t *tok, size_t n_tok, gpt2c_error *err)
{
    x->step.tok = (const gpt2c_token *)tok;
    x->step.n_tok = n_tok;
    return x->fn(x->user, &x->step)
               ? status_fail(err, GPT2C_E_CANCELLED, "the explanation was cancelled")
               : GPT2C_OK;
}

static gpt2c_status tell_whole(struct explain *x, const uint32_t *tok, size_t n_tok,
                               gpt2c_error *err)
{
    x->step.step = 0;
    x->step.rank = -1;
    x->step.at = -1;
    x->step.last = true;
    return tell(x, tok, n_tok, err);
}

static gpt2c_status tell_long(struct explain *x, const unsigned char *piece, size_t n,
                              gpt2c_error *err)
{
    gpt2c_token *const tok = malloc(n * sizeof *tok);
    size_t n_tok = 0;
    gpt2c_status st =
        tok ? GPT2C_OK : status_fail(err, GPT2C_E_NOMEM, "no memory for a piece of %zu bytes", n);
    if (!st) {
        st = gpt2c_tokenizer_encode(x->tokenizer, (const char *)piece, n, GPT2C_SPECIAL_TEXT, tok,
                                    n, &n_tok, err);
    }
    if (!st) {
        st = tell_whole(x, (const uint32_t *)tok, n_tok, err);
    }
    free(tok);
    return st;
}

static gpt2c_status tell_merges(struct explain *x, const unsigned char *piece, size_t n,
                                gpt2c_error *err)
{
    const struct vocab *const v = &x->tokenizer->vocab;
    uint32_t next[MAX_PIECE];
    size_t n_tok = n;
    gpt2c_status st = GPT2C_OK;
    for (size_t i = 0; i < n; i++) {
        next[i] = v->byte_token[piece[i]];
    }
    x->step.rank = -1;
    x->step.at = -1;
    x->step.last = false;
    for (x->step.step = 0; !st && !x->step.last; x->step.step++) {
        size_t at = 0;
        const size_t n_now = n_tok;
        memcpy(x->tok, next, n_now * sizeof *next);
        const uint32_t rank = bpe_step(v, next, &n_tok, &at);
        x->step.last = rank == VOCAB_NONE;
        st = tell(x, x->tok, n_now, err);
        x->step.rank = (int32_t)rank;
        x->step.at = (int32_t)at;
    }
    return st;
}

static gpt2c_status tell_segment(struct explain *x, const unsigned char *text,
                                 const unsigned char *p, const unsigned char *stop,
                                 gpt2c_error *err)
{
    gpt2c_status st = GPT2C_OK;
    while (!st && p < stop) {
        enum pretokenize_class class;
        const size_t n = pretokenize_piece(p, stop, &class);
        x->step.piece.begin = (size_t)(p - text);
        x->step.piece.end = x->step.piece.begin + n;
        st = n > MAX_PIECE ? tell_long(x, p, n, err) : tell_merges(x, p, n, err);
        p += n;
    }
    return st;
}

gpt2c_status gpt2c_tokenizer_explain(const gpt2c_tokenizer *tokenizer, const char *text,
                                     size_t text_bytes, gpt2c_special special, gpt2c_explain_fn fn,
                                     void *user, gpt2c_error *err)
{
    if (!tokenizer || (!text && text_bytes) || !fn) {
        return status_fail(err, GPT2C_E_ARG, "gpt2c_tokenizer_explain: NULL argument");
    }
    struct explain x = {.tokenizer = tokenizer, .fn = fn, .user = user};
    const unsigned char *const begin = (const unsigned char *)text;
    const unsigned char *const end = text_bytes ? begin + text_bytes : begin;
    const unsigned char *p = begin;
    gpt2c_status st = GPT2C_OK;
    while (!st && p < end) {
        uint32_t id = VOCAB_NONE;
        const unsigned char *const stop =
            special == GPT2C_SPECIAL_TEXT ? end
                                          : tokenizer_find_special(tokenizer, p, end, true, &id);
        if (id != VOCAB_NONE && special == GPT2C_SPECIAL_ERROR) {
            return tokenizer_refuse_special(tokenizer, id, (uint64_t)(stop - begin), err);
        }
        st = tell_segment(&x, begin, p, stop, err);
        p = stop;
        if (!st && id != VOCAB_NONE) {
            size_t n = 0;
            vocab_bytes(&tokenizer->vocab, id, &n);
            x.step.piece.begin = (size_t)(p - begin);
            x.step.piece.end = x.step.piece.begin + n;
            st = tell_whole(&x, &id, 1, err);
            p += n;
        }
    }
    return st;
}
