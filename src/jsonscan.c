/* The pull reader. Strings grow one buffer; everything else stays where the file has it. */
#include "jsonscan.h"

#include "status.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 32, MAX_NUMBER_CHARS = 60 };

#define WHOLE_MAX (((uint64_t)1 << 53) - 1) /* what a double holds exactly */

void jsonscan_init(struct jsonscan *scan, const unsigned char *data, size_t n_bytes,
                   const char *file)
{
    memset(scan, 0, sizeof *scan);
    scan->begin = scan->p = data;
    scan->end = n_bytes ? data + n_bytes : data;
    scan->file = file;
    scan->max_values = SIZE_MAX;
}

void jsonscan_free(struct jsonscan *scan)
{
    free(scan->text);
    scan->text = NULL;
}

gpt2c_status jsonscan_fail(const struct jsonscan *scan, const char *what, gpt2c_error *err)
{
    return status_fail(err, GPT2C_E_FORMAT, "%s: byte %zu: %s", scan->file,
                       (size_t)(scan->p - scan->begin), what);
}

int jsonscan_peek(struct jsonscan *scan)
{
    while (scan->p < scan->end &&
           (*scan->p == ' ' || *scan->p == '\n' || *scan->p == '\r' || *scan->p == '\t')) {
        scan->p++;
    }
    return scan->p < scan->end ? *scan->p : -1;
}

gpt2c_status jsonscan_expect(struct jsonscan *scan, char c, gpt2c_error *err)
{
    if (jsonscan_peek(scan) != c) {
        char what[32] = "expected '?'";
        what[10] = c;
        return jsonscan_fail(scan, scan->p < scan->end ? what : "the text ends too early", err);
    }
    scan->p++;
    return GPT2C_OK;
}

gpt2c_status jsonscan_next(struct jsonscan *scan, char close, size_t *n, bool *more,
                           gpt2c_error *err)
{
    const int c = jsonscan_peek(scan);
    *more = c != close;
    if (!*more) {
        scan->p++;
        return GPT2C_OK;
    }
    return (*n)++ > 0 ? jsonscan_expect(scan, ',', err) : GPT2C_OK;
}

/* ---- strings --------------------------------------------------------------------------------- */

static bool hex4(const struct jsonscan *scan, const unsigned char *p, uint32_t *out)
{
    if (scan->end - p < 4) {
        return false;
    }
    *out = 0;
    for (int i = 0; i < 4; i++) {
        const unsigned char c = p[i];
        const unsigned lower = c | 0x20u;
        if (c >= '0' && c <= '9') {
            *out = *out << 4 | (uint32_t)(c - '0');
        } else if (lower >= 'a' && lower <= 'f') {
            *out = *out << 4 | (lower - 'a' + 10);
        } else {
            return false;
        }
    }
    return true;
}

/* The escape at scan->p, which stands on the backslash. */
static gpt2c_status escape(struct jsonscan *scan, uint32_t *cp, gpt2c_error *err)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const unsigned char c = scan->end - scan->p > 1 ? scan->p[1] : 0;
    const char *const letter = c ? strchr(letters, c) : NULL;
    uint32_t low = 0;
    if (letter) {
        *cp = (unsigned char)meanings[letter - letters];
        scan->p += 2;
        return GPT2C_OK;
    }
    if (c != 'u' || !hex4(scan, scan->p + 2, cp)) {
        return jsonscan_fail(scan, "bad escape in a string", err);
    }
    if (*cp == 0) { /* strings of C, as cJSON's, would end there */
        return jsonscan_fail(scan, "NUL in a string", err);
    }
    if (*cp >= 0xd800 && *cp < 0xe000) {
        const unsigned char *const next = scan->p + 6;
        if (*cp >= 0xdc00 || scan->end - next < 6 || next[0] != '\\' || next[1] != 'u' ||
            !hex4(scan, next + 2, &low) || low < 0xdc00 || low >= 0xe000) {
            return jsonscan_fail(scan, "lone surrogate in a string", err);
        }
        *cp = 0x10000 + ((*cp - 0xd800) << 10) + (low - 0xdc00);
        scan->p += 6;
    }
    scan->p += 6;
    return GPT2C_OK;
}

/* Room for the longest that one step of the loop below may append. */
static gpt2c_status reserve(struct jsonscan *scan, size_t n, gpt2c_error *err)
{
    if (scan->cap_text - scan->n_text >= n) {
        return GPT2C_OK;
    }
    const size_t cap = scan->cap_text ? 2 * scan->cap_text : 256;
    char *const text = realloc(scan->text, cap);
    if (!text) {
        return status_fail(err, GPT2C_E_NOMEM, "%s: no memory for a string", scan->file);
    }
    scan->text = text;
    scan->cap_text = cap;
    return GPT2C_OK;
}

gpt2c_status jsonscan_string(struct jsonscan *scan, gpt2c_error *err)
{
    gpt2c_status st =
        jsonscan_peek(scan) == '"' ? GPT2C_OK : jsonscan_fail(scan, "expected a string", err);
    scan->n_text = 0;
    if (st) {
        return st;
    }
    scan->p++;
    for (;;) {
        st = reserve(scan, 4, err);
        if (st) {
            return st;
        }
        if (scan->p == scan->end) {
            return jsonscan_fail(scan, "a string has no end", err);
        }
        const unsigned char c = *scan->p;
        uint32_t cp = c;
        if (c == '"') {
            scan->p++;
            return GPT2C_OK;
        }
        if (c < 0x20) {
            return jsonscan_fail(scan, "raw control character in a string", err);
        }
        if (c == '\\') {
            st = escape(scan, &cp, err);
            if (st) {
                return st;
            }
        } else if (c < 0x80) {
            scan->p++;
        } else {
            const size_t n = utf8_decode(scan->p, scan->end, &cp);
            if (n == 0) {
                return jsonscan_fail(scan, "a string is not UTF-8", err);
            }
            scan->p += n;
        }
        scan->n_text += utf8_encode(cp, scan->text + scan->n_text);
    }
}

gpt2c_status jsonscan_key(struct jsonscan *scan, gpt2c_error *err)
{
    const gpt2c_status st = jsonscan_string(scan, err);
    return st ? st : jsonscan_expect(scan, ':', err);
}

bool jsonscan_is(const struct jsonscan *scan, const char *text)
{
    return scan->n_text == strlen(text) && memcmp(scan->text, text, scan->n_text) == 0;
}

/* ---- other values ---------------------------------------------------------------------------- */

/* Digits without sign, fraction, exponent or leading zero, up to max. */
static gpt2c_status whole(struct jsonscan *scan, uint64_t max, uint64_t *out, gpt2c_error *err)
{
    uint64_t value = 0;
    const int first = jsonscan_peek(scan);
    const unsigned char *const begin = scan->p;
    while (scan->p < scan->end && *scan->p >= '0' && *scan->p <= '9' && value <= max) {
        value = 10 * value + (uint64_t)(*scan->p++ - '0');
    }
    const size_t n = (size_t)(scan->p - begin);
    const unsigned char after = scan->p < scan->end ? *scan->p : ' ';
    if (n == 0 || value > max || (first == '0' && n > 1) || after == '.' || after == 'e' ||
        after == 'E') {
        char what[80];
        snprintf(what, sizeof what,
                 "expected a whole number up to %" PRIu64 " without leading zero",
                 max);
        scan->p = begin;
        return jsonscan_fail(scan, what, err);
    }
    *out = value;
    return GPT2C_OK;
}

gpt2c_status jsonscan_uint(struct jsonscan *scan, uint32_t max, uint32_t *out, gpt2c_error *err)
{
    uint64_t value = 0;
    const gpt2c_status st = whole(scan, max, &value, err);
    *out = st ? 0 : (uint32_t)value;
    return st;
}

static bool word_at(struct jsonscan *scan, const char *word)
{
    const size_t n = strlen(word);
    if ((size_t)(scan->end - scan->p) < n || memcmp(scan->p, word, n) != 0) {
        return false;
    }
    scan->p += n;
    return true;
}

gpt2c_status jsonscan_word(struct jsonscan *scan, int *out, gpt2c_error *err)
{
    jsonscan_peek(scan);
    if (word_at(scan, "true")) {
        *out = 1;
    } else if (word_at(scan, "false")) {
        *out = 0;
    } else if (word_at(scan, "null")) {
        *out = -1;
    } else {
        return jsonscan_fail(scan, "expected true, false or null", err);
    }
    return GPT2C_OK;
}

static size_t skip_digits(struct jsonscan *scan)
{
    const unsigned char *const begin = scan->p;
    while (scan->p < scan->end && *scan->p >= '0' && *scan->p <= '9') {
        scan->p++;
    }
    return (size_t)(scan->p - begin);
}

static bool skip_byte(struct jsonscan *scan, const char *any)
{
    const bool found = scan->p < scan->end && *scan->p && strchr(any, *scan->p);
    scan->p += found;
    return found;
}

static gpt2c_status skip_number(struct jsonscan *scan, gpt2c_error *err)
{
    skip_byte(scan, "-");
    const unsigned char *const begin = scan->p;
    const size_t n = skip_digits(scan);
    bool ok = n == 1 || (n > 1 && *begin != '0');
    if (ok && skip_byte(scan, ".")) {
        ok = skip_digits(scan) > 0;
    }
    if (ok && skip_byte(scan, "eE")) {
        skip_byte(scan, "+-");
        ok = skip_digits(scan) > 0;
    }
    if (ok && scan->p - begin > MAX_NUMBER_CHARS) {
        return jsonscan_fail(scan, "number too long", err);
    }
    return ok ? GPT2C_OK : jsonscan_fail(scan, "bad number", err);
}

static gpt2c_status skip_scalar(struct jsonscan *scan, gpt2c_error *err)
{
    const int c = jsonscan_peek(scan);
    int word = 0;
    uint64_t number = 0;
    if (++scan->n_values > scan->max_values) {
        return jsonscan_fail(scan, "too many values", err);
    }
    if (c == '"') {
        return jsonscan_string(scan, err);
    }
    if (scan->whole_numbers && (c == '-' || (c >= '0' && c <= '9'))) {
        return whole(scan, WHOLE_MAX, &number, err);
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
        return skip_number(scan, err);
    }
    if (c == 't' || c == 'f' || c == 'n') {
        return jsonscan_word(scan, &word, err);
    }
    return jsonscan_fail(scan, c == -1 ? "the text ends too early" : "expected a JSON value", err);
}

gpt2c_status jsonscan_skip(struct jsonscan *scan, gpt2c_error *err)
{
    char close[MAX_DEPTH];
    size_t n[MAX_DEPTH];
    int depth = 0;
    do {
        const int c = jsonscan_peek(scan);
        gpt2c_status st = GPT2C_OK;
        if (c == '{' || c == '[') {
            if (depth == MAX_DEPTH) {
                return jsonscan_fail(scan, "nested too deep", err);
            }
            if (++scan->n_values > scan->max_values) {
                return jsonscan_fail(scan, "too many values", err);
            }
            close[depth] = c == '{' ? '}' : ']';
            n[depth++] = 0;
            scan->p++;
        } else {
            st = skip_scalar(scan, err);
        }
        bool more = false;
        while (!st && depth > 0 && !more) {
            st = jsonscan_next(scan, close[depth - 1], &n[depth - 1], &more, err);
            depth -= !st && !more;
        }
        if (!st && depth > 0 && close[depth - 1] == '}') {
            st = jsonscan_key(scan, err);
        }
        if (st) {
            return st;
        }
    } while (depth > 0);
    return GPT2C_OK;
}

gpt2c_status jsonscan_end(struct jsonscan *scan, gpt2c_error *err)
{
    return jsonscan_peek(scan) == -1 ? GPT2C_OK
                                     : jsonscan_fail(scan, "more after the end", err);
}
