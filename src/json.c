/* The strict scan: a state machine over the text with a stack of one bit a level. Linear time, no
 * memory. It refuses what cJSON would let pass (byte order mark, control characters, broken UTF-8,
 * lone surrogates, leading zeros, endless numbers) and what it would build without bound. */
#include "json.h"

#include "status.h"
#include "utf8.h"

#include <string.h>

#define MAX_NUMBER_CHARS 60 /* cJSON reads at most 63 */
#define WHOLE_MAX (((uint64_t)1 << 53) - 1)

enum expect {
    VALUE,        /* after [ , or : or at the start */
    VALUE_OR_END, /* after [ */
    KEY,          /* after , in an object */
    KEY_OR_END,   /* after { */
    AFTER_VALUE   /* , or the end of what is open */
};

struct scan {
    const unsigned char *start, *p, *end;
    const struct json_limits *limits;
    uint32_t in_object; /* bit d: level d is an object */
    int depth;
    size_t n_values;
    const char *problem; /* what is wrong at p */
};

static bool fail(struct scan *s, const char *problem)
{
    s->problem = problem;
    return false;
}

static void skip_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' || *s->p == '\n')) {
        s->p++;
    }
}

static bool scan_utf8(struct scan *s) /* one character of several bytes */
{
    uint32_t cp;
    const size_t n = utf8_decode(s->p, s->end, &cp);
    s->p += n;
    return n > 0 || fail(s, "not UTF-8");
}

/* The four digits of \uXXXX, p on the backslash; -1 when they are not there. */
static int32_t unicode_escape(const struct scan *s, const unsigned char *p)
{
    int32_t v = 0;
    if (s->end - p < 6 || p[0] != '\\' || p[1] != 'u') {
        return -1;
    }
    for (int i = 2; i < 6; i++) {
        const unsigned char c = p[i];
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) {
            return -1;
        }
        v = v * 16 + digit;
    }
    return v;
}

static bool scan_escape(struct scan *s)
{
    if (s->end - s->p < 2) {
        return fail(s, "string without end");
    }
    if (s->p[1] != 'u') {
        if (!s->p[1] || !strchr("\"\\/bfnrt", s->p[1])) {
            return fail(s, "unknown escape");
        }
        s->p += 2;
        return true;
    }
    const int32_t v = unicode_escape(s, s->p);
    if (v < 0) {
        return fail(s, "expected four hexadecimal digits");
    }
    if (v == 0) {
        return fail(s, "NUL in a string");
    }
    if (v >= 0xd800 && v <= 0xdfff) {
        const int32_t low = unicode_escape(s, s->p + 6);
        if (v >= 0xdc00 || low < 0xdc00 || low > 0xdfff) {
            return fail(s, "lone surrogate");
        }
        s->p += 6;
    }
    s->p += 6;
    return true;
}

static bool scan_string(struct scan *s) /* p on the opening quote */
{
    s->p++;
    while (s->p < s->end) {
        const unsigned char c = *s->p;
        if (c == '"') {
            s->p++;
            return true;
        }
        if (c < 0x20) {
            return fail(s, "control character in a string");
        }
        if (c == '\\') {
            if (!scan_escape(s)) {
                return false;
            }
        } else if (c >= 0x80) {
            if (!scan_utf8(s)) {
                return false;
            }
        } else {
            s->p++;
        }
    }
    return fail(s, "string without end");
}

static bool is_digit(const struct scan *s)
{
    return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

static bool scan_digits(struct scan *s)
{
    if (!is_digit(s)) {
        return fail(s, "expected a digit");
    }
    while (is_digit(s)) {
        s->p++;
    }
    return true;
}

static bool scan_whole(struct scan *s, const unsigned char *first)
{
    uint64_t v = 0;
    for (const unsigned char *p = first; p < s->p; p++) {
        v = v * 10 + (uint64_t)(*p - '0');
        if (v > WHOLE_MAX) {
            s->p = first;
            return fail(s, "number above 2^53");
        }
    }
    return true;
}

static bool scan_number(struct scan *s)
{
    const unsigned char *first = s->p;
    bool whole = true;
    if (*s->p == '-') {
        whole = false;
        s->p++;
    }
    if (s->p < s->end && *s->p == '0') {
        s->p++;
        if (is_digit(s)) {
            return fail(s, "leading zero");
        }
    } else if (!scan_digits(s)) {
        return false;
    }
    if (s->p < s->end && *s->p == '.') {
        whole = false;
        s->p++;
        if (!scan_digits(s)) {
            return false;
        }
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        whole = false;
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-')) {
            s->p++;
        }
        if (!scan_digits(s)) {
            return false;
        }
    }
    if (s->limits->whole_numbers) {
        return whole ? scan_whole(s, first) : fail(s, "expected a whole number without sign");
    }
    return s->p - first <= MAX_NUMBER_CHARS || fail(s, "number too long");
}

static bool scan_literal(struct scan *s, const char *literal)
{
    const size_t n = strlen(literal);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, literal, n) != 0) {
        return fail(s, "expected a value");
    }
    s->p += n;
    return true;
}

/* One scalar, or the opening of an array or object. */
static bool scan_value(struct scan *s, enum expect *expect)
{
    const unsigned char c = *s->p;
    if (++s->n_values > s->limits->max_values) {
        return fail(s, "too many values");
    }
    *expect = AFTER_VALUE;
    if (c == '{' || c == '[') {
        if (s->depth == JSON_MAX_DEPTH) {
            return fail(s, "nested too deep");
        }
        const uint32_t bit = (uint32_t)1 << s->depth++;
        s->in_object = c == '{' ? s->in_object | bit : s->in_object & ~bit;
        *expect = c == '{' ? KEY_OR_END : VALUE_OR_END;
        s->p++;
        return true;
    }
    if (c == '"') {
        return scan_string(s);
    }
    if (c == '-' || is_digit(s)) {
        return scan_number(s);
    }
    return scan_literal(s, c == 't' ? "true" : c == 'f' ? "false" : "null");
}

static bool scan_key(struct scan *s)
{
    if (*s->p != '"') {
        return fail(s, "expected a name in quotes");
    }
    if (!scan_string(s)) {
        return false;
    }
    skip_space(s);
    if (s->p == s->end || *s->p != ':') {
        return fail(s, "expected ':'");
    }
    s->p++;
    return true;
}

static bool scan_document(struct scan *s)
{
    enum expect expect = VALUE;
    for (;;) {
        skip_space(s);
        const bool done = expect == AFTER_VALUE && s->depth == 0;
        if (s->p == s->end) {
            return done || fail(s, "text ends too early");
        }
        if (done) {
            return fail(s, "more after the end");
        }
        const bool object = s->depth > 0 && (s->in_object >> (s->depth - 1) & 1);
        const bool may_end = expect != VALUE && expect != KEY;
        if (may_end && *s->p == (object ? '}' : ']')) {
            s->p++;
            s->depth--;
            expect = AFTER_VALUE;
        } else if (expect == AFTER_VALUE) {
            if (*s->p != ',') {
                return fail(s, object ? "expected ',' or '}'" : "expected ',' or ']'");
            }
            s->p++;
            expect = object ? KEY : VALUE;
        } else if (expect == KEY || expect == KEY_OR_END) {
            if (!scan_key(s)) {
                return false;
            }
            expect = VALUE;
        } else if (!scan_value(s, &expect)) {
            return false;
        }
    }
}

gpt2c_status json_parse(cJSON **out, const char *what, const unsigned char *text, size_t n_bytes,
                        const struct json_limits *limits, gpt2c_error *err)
{
    struct scan s = {.start = text, .p = text, .end = text + n_bytes, .limits = limits};
    *out = NULL;
    if (n_bytes == 0 || !scan_document(&s)) {
        return status_fail(err, GPT2C_E_FORMAT, "%s: not valid JSON: %s at byte %zu", what,
                           n_bytes ? s.problem : "empty", (size_t)(s.p - s.start));
    }
    *out = cJSON_ParseWithLengthOpts((const char *)text, n_bytes, NULL, false);
    if (!*out) { /* the text is valid and bounded: nothing else can fail */
        return status_fail(err, GPT2C_E_NOMEM, "%s: out of memory for %zu JSON values", what,
                           s.n_values);
    }
    return GPT2C_OK;
}
