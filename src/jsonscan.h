/* A strict pull reader for JSON files of many small entries: one pass, no tree, no recursion. It
 * refuses what RFC 8259 refuses, invalid UTF-8, lone surrogates and the escape \u0000 too, and what
 * would grow without bound: nesting past 32, numbers past 60 characters. */
#ifndef JSONSCAN_H
#define JSONSCAN_H

#include "gpt2c/gpt2c.h"

struct jsonscan {
    const unsigned char *begin, *p, *end;
    const char *file; /* for messages; borrowed */
    char *text;       /* the last string read, as UTF-8, not NUL-terminated */
    size_t n_text;    /* bytes */
    size_t cap_text;

    /* For jsonscan_skip; jsonscan_init sets no limit. */
    size_t n_values, max_values; /* values of any kind, those inside others included */
    bool whole_numbers; /* every number is 0 … 2^53-1, without sign, fraction or exponent */
};

void jsonscan_init(struct jsonscan *scan, const unsigned char *data, size_t n_bytes,
                   const char *file);
void jsonscan_free(struct jsonscan *scan);

/* "FILE: byte N: what" */
gpt2c_status jsonscan_fail(const struct jsonscan *scan, const char *what, gpt2c_error *err);

int jsonscan_peek(struct jsonscan *scan); /* first byte of the next token; -1 at the end */
gpt2c_status jsonscan_expect(struct jsonscan *scan, char c, gpt2c_error *err);
/* Before each element of an object or array, *n counting from 0 (the callee counts on): *more is
 * false, and `close` consumed, after the last one. */
gpt2c_status jsonscan_next(struct jsonscan *scan, char close, size_t *n, bool *more,
                           gpt2c_error *err);
gpt2c_status jsonscan_string(struct jsonscan *scan, gpt2c_error *err); /* into text, n_text */
gpt2c_status jsonscan_key(struct jsonscan *scan, gpt2c_error *err);    /* a string and its colon */
bool jsonscan_is(const struct jsonscan *scan, const char *text);       /* the last string read  */
gpt2c_status jsonscan_uint(struct jsonscan *scan, uint32_t max, uint32_t *out, gpt2c_error *err);
/* true, false or null, if that is what follows: 1, 0, -1 into *out. */
gpt2c_status jsonscan_word(struct jsonscan *scan, int *out, gpt2c_error *err);
gpt2c_status jsonscan_skip(struct jsonscan *scan, gpt2c_error *err); /* one value of any kind */
gpt2c_status jsonscan_end(struct jsonscan *scan, gpt2c_error *err);  /* nothing may follow    */

#endif
