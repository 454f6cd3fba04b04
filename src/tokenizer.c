/* Opening a vocabulary, text to ids in one call, and ids to text. */
#include "tokenizer.h"

#include "encode.h"
#include "status.h"
#include "utf8.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* dir/name on the heap. */
static char *join(const char *dir, const char *name)
{
    const size_t n = strlen(dir) + strlen(name) + 2;
    char *const path = malloc(n);
    if (path) {
        snprintf(path, n, "%s/%s", dir, name);
    }
    return path;
}

/* Either of the two files says that they are meant; else tokenizer.json if it is there. */
static gpt2c_status load_vocab(struct vocab *vocab, const char *dir, gpt2c_error *err)
{
    char *const tokens = join(dir, "vocab.json");
    char *const merges = join(dir, "merges.txt");
    char *const hf = join(dir, "tokenizer.json");
    gpt2c_status st = GPT2C_OK;
    if (!tokens || !merges || !hf) {
        st = status_fail(err, GPT2C_E_NOMEM, "%s: no memory for the tokenizer", dir);
    } else if (access(tokens, F_OK) != 0 && access(merges, F_OK) != 0 && access(hf, F_OK) == 0) {
        st = vocab_hf_load(vocab, hf, err);
    } else {
        st = vocab_files_load(vocab, tokens, merges, err);
    }
    free(tokens);
    free(merges);
    free(hf);
    return st;
}

gpt2c_status gpt2c_tokenizer_open(gpt2c_tokenizer **out, const char *dir, gpt2c_error *err)
{
    if (!out || !dir) {
        return status_fail(err, GPT2C_E_ARG, "gpt2c_tokenizer_open: out or dir is NULL");
    }
    gpt2c_tokenizer *t = calloc(1, sizeof *t);
    gpt2c_status st = GPT2C_OK;
    *out = NULL;
    if (t) {
        t->lazy = calloc(1, sizeof *t->lazy);
    }
    if (!t || !t->lazy) {
        st = status_fail(err, GPT2C_E_NOMEM, "%s: no memory for the tokenizer", dir);
    }
    if (!st) {
        st = load_vocab(&t->vocab, dir, err);
    }
    if (st) {
        gpt2c_tokenizer_close(&t);
    }
    *out = t;
    return st;
}

void gpt2c_tokenizer_close(gpt2c_tokenizer **tokenizer)
{
    if (tokenizer && *tokenizer) {
        if ((*tokenizer)->lazy) {
            bpe_long_free(atomic_load(&(*tokenizer)->lazy->long_tables));
        }
        free((*tokenizer)->lazy);
        vocab_free(&(*tokenizer)->vocab);
        free(*tokenizer);
        *tokenizer = NULL;
    }
}

int32_t gpt2c_tokenizer_n_vocab(const gpt2c_tokenizer *tokenizer)
{
    return (int32_t)tokenizer->vocab.n_vocab;
}

gpt2c_token gpt2c_tokenizer_eos(const gpt2c_tokenizer *tokenizer)
{
    const uint32_t eos = tokenizer->vocab.eos;
    return eos == VOCAB_NONE ? -1 : (gpt2c_token)eos;
}

const char *gpt2c_tokenizer_bytes(const gpt2c_tokenizer *tokenizer, gpt2c_token token,
                                  size_t *n_bytes)
{
    *n_bytes = 0;
    if (token < 0 || token >= gpt2c_tokenizer_n_vocab(tokenizer)) {
        return NULL;
    }
    return (const char *)vocab_bytes(&tokenizer->vocab, (uint32_t)token, n_bytes);
}

/* Is the text at p the beginning of a special token that would end past `end`? */
static bool may_become_special(const struct vocab *v, const unsigned char *p,
                               const unsigned char *end)
{
    for (uint32_t i = v->special_first[*p]; i < v->special_first[*p + 1]; i++) {
        size_t n = 0;
        const unsigned char *const bytes = vocab_bytes(v, v->specials[i], &n);
        if (n > (size_t)(end - p) && memcmp(p, bytes, (size_t)(end - p)) == 0) {
            return true;
        }
    }
    return false;
}

static uint32_t special_at(const struct vocab *v, const unsigned char *p, const unsigned char *end)
{
    for (uint32_t i = v->special_first[*p]; i < v->special_first[*p + 1]; i++) {
        size_t n = 0;
        const unsigned char *const bytes = vocab_bytes(v, v->specials[i], &n);
        if (n <= (size_t)(end - p) && memcmp(p, bytes, n) == 0) {
            return v->specials[i];
        }
    }
    return VOCAB_NONE;
}

const unsigned char *tokenizer_find_special(const gpt2c_tokenizer *tokenizer,
                                            const unsigned char *p, const unsigned char *end,
                                            bool final, uint32_t *id)
{
    const struct vocab *const v = &tokenizer->vocab;
    *id = VOCAB_NONE;
    if (v->n_specials == 0) {
        return end;
    }
    const unsigned char first = v->bytes[v->begin[v->specials[0]]];
    const bool one_first = v->special_first[first + 1] == v->n_specials;
    for (; p < end; p++) {
        if (one_first) {
            p = memchr(p, first, (size_t)(end - p));
            if (!p) {
                return end;
            }
        }
        if (!final && (size_t)(end - p) < v->max_special && may_become_special(v, p, end)) {
            return p;
        }
        *id = special_at(v, p, end);
        if (*id != VOCAB_NONE) {
            return p;
        }
    }
    return end;
}

gpt2c_status tokenizer_refuse_special(const gpt2c_tokenizer *tokenizer, uint32_t id, uint64_t pos,
                                      gpt2c_error *err)
{
    size_t n = 0;
    const unsigned char *const name = vocab_bytes(&tokenizer->vocab, id, &n);
    return status_fail(err, GPT2C_E_ARG, "byte %llu: the text holds the special token %.*s",
                       (unsigned long long)pos, (int)n, (const char *)name);
}

gpt2c_status tokenizer_long_tables(const gpt2c_tokenizer *tokenizer, const struct bpe_long **out,
                                   gpt2c_error *err)
{
    /* Making them changes nothing that a caller sees. The loser of a race throws its own away. */
    struct bpe_long *tables = atomic_load(&tokenizer->lazy->long_tables);
    if (!tables) {
        struct bpe_long *expected = NULL;
        const gpt2c_status st = bpe_long_create(&tables, &tokenizer->vocab, err);
        if (st) {
            return st;
        }
        if (!atomic_compare_exchange_strong(&tokenizer->lazy->long_tables, &expected, tables)) {
            bpe_long_free(tables);
            tables = expected;
        }
    }
    *out = tables;
    return GPT2C_OK;
}

struct collect {
    gpt2c_token *out;
    size_t cap, n_tok;
};

static int collect(void *user, const gpt2c_token *tok, size_t n_tok)
{
    struct collect *const c = user;
    if (c->n_tok < c->cap) {
        const size_t room = c->cap - c->n_tok;
        memcpy(c->out + c->n_tok, tok, (n_tok < room ? n_tok : room) * sizeof *tok);
    }
    c->n_tok += n_tok;
    return 0;
}

gpt2c_status gpt2c_tokenizer_encode(const gpt2c_tokenizer *tokenizer, const char *text,
                                    size_t text_bytes, gpt2c_special special, gpt2c_token *out,
                                    size_t cap, size_t *n_tok, gpt2c_error *err)
{
    struct collect c = {out, out ? cap : 0, 0};
    struct encode e;
    size_t n_used = 0;
    if (!tokenizer || (!text && text_bytes) || !n_tok) {
        return status_fail(err, GPT2C_E_ARG, "gpt2c_tokenizer_encode: NULL argument");
    }
    gpt2c_status st = encode_init(&e, tokenizer, special, text_bytes, err);
    if (!st) {
        st = encode_text(&e, (const unsigned char *)text, text_bytes, true, collect, &c, &n_used,
                         err);
        encode_free(&e);
    }
    *n_tok = st ? 0 : c.n_tok;
    return st;
}

/* ---- ids to text ----------------------------------------------------------------------------- */

bool gpt2c_tokenizer_is_special(const gpt2c_tokenizer *tokenizer, gpt2c_token token)
{
    return token >= 0 && token < gpt2c_tokenizer_n_vocab(tokenizer) &&
           vocab_is_special(&tokenizer->vocab, (uint32_t)token);
}

gpt2c_token gpt2c_tokenizer_find(const gpt2c_tokenizer *tokenizer, const char *bytes,
                                 size_t n_bytes)
{
    const uint32_t id = vocab_find(&tokenizer->vocab, (const unsigned char *)bytes, n_bytes);
    return id == VOCAB_NONE ? -1 : (gpt2c_token)id;
}

size_t gpt2c_tokenizer_name(const gpt2c_tokenizer *tokenizer, gpt2c_token token, char *out,
                            size_t cap)
{
    size_t n_bytes = 0;
    size_t n_name = 0;
    size_t n_out = 0;
    const char *const bytes = gpt2c_tokenizer_bytes(tokenizer, token, &n_bytes);
    const bool plain = gpt2c_tokenizer_is_special(tokenizer, token);
    for (size_t i = 0; i < n_bytes; i++) {
        char text[4] = {bytes[i]};
        const size_t n =
            plain ? 1 : utf8_encode(tokenizer->vocab.byte_char[(unsigned char)bytes[i]], text);
        if (n_out == n_name && n_out + n < cap) {
            memcpy(out + n_out, text, n);
            n_out += n;
        }
        n_name += n;
    }
    if (cap > 0) {
        out[n_out] = '\0';
    }
    return n_name;
}

gpt2c_status gpt2c_tokenizer_decode(const gpt2c_tokenizer *tokenizer, const gpt2c_token *tok,
                                    size_t n_tok, char *out, size_t cap, size_t *n_bytes,
                                    gpt2c_error *err)
{
    const size_t room = out ? cap : 0;
    size_t n_all = 0;
    if (!tokenizer || (!tok && n_tok) || !n_bytes) {
        return status_fail(err, GPT2C_E_ARG, "gpt2c_tokenizer_decode: NULL argument");
    }
    *n_bytes = 0;
    for (size_t i = 0; i < n_tok; i++) {
        size_t n = 0;
        const char *const bytes = gpt2c_tokenizer_bytes(tokenizer, tok[i], &n);
        if (!bytes) {
            return status_fail(err, GPT2C_E_ARG, "token %zu: id %d is not in 0 … %d", i, tok[i],
                               gpt2c_tokenizer_n_vocab(tokenizer) - 1);
        }
        if (n_all < room) {
            memcpy(out + n_all, bytes, n < room - n_all ? n : room - n_all);
        }
        n_all += n;
    }
    *n_bytes = n_all;
    return GPT2C_OK;
}

/* ---- places in the text ---------------------------------------------------------------------- */

gpt2c_status gpt2c_tokenizer_ranges(const gpt2c_tokenizer *tokenizer, const char *text,
                                    size_t text_bytes, const gpt2c_token *tok, size_t n_tok,
                                    gpt2c_range *bytes, gpt2c_range *chars, gpt2c_error *err)
{
    size_t pos = 0;      /* byte where the token begins                  */
    size_t char_end = 0; /* byte where the last character looked at ends */
    size_t n_chars = 0;  /* characters up to there                       */
    for (size_t i = 0; i < n_tok; i++) {
        size_t n = 0;
        const char *const token = gpt2c_tokenizer_bytes(tokenizer, tok[i], &n);
        if (!token || n > text_bytes - pos || memcmp(text + pos, token, n) != 0) {
            return status_fail(err, GPT2C_E_ARG, "token %zu is not that of the text at byte %zu", i,
                               pos);
        }
        const gpt2c_range range = {pos, pos + n};
        gpt2c_range in_chars = {n_chars - (pos < char_end), 0};
        while (char_end < range.end) {
            const size_t n_char = gpt2c_utf8_char(text + char_end, text_bytes - char_end);
            char_end += n_char ? n_char : 1;
            n_chars++;
        }
        in_chars.end = n_chars;
        if (bytes) {
            bytes[i] = range;
        }
        if (chars) {
            chars[i] = in_chars;
        }
        pos = range.end;
    }
    return GPT2C_OK;
}
