/* The splitting rule as a state machine: the first character of a piece decides what it may hold,
 * and a run ends where the class changes. Classes come from a table of 128 for ASCII and from the
 * two-level tables of Unicode 16.0 for the rest. */
#include "pretokenize.h"

#include "unicode_tables.h"
#include "utf8.h"

#include <stdbool.h>

_Static_assert((int)PRETOKENIZE_OTHER == UNICODE_OTHER &&
                   (int)PRETOKENIZE_LETTER == UNICODE_LETTER &&
                   (int)PRETOKENIZE_NUMBER == UNICODE_NUMBER &&
                   (int)PRETOKENIZE_SPACE == UNICODE_SPACE,
               "the classes are those of the tables");

static enum pretokenize_class class_of(uint32_t cp)
{
    const unsigned four = unicode_block[unicode_index[cp >> 8]][(cp & 255) >> 2];
    return (enum pretokenize_class)((four >> (2 * (cp & 3))) & 3);
}

static inline enum pretokenize_class next_class(const unsigned char *p, const unsigned char *end,
                                                size_t *n_bytes)
{
    if (*p < 0x80) {
        *n_bytes = 1;
        return class_of(*p);
    }
    uint32_t cp = 0;
    *n_bytes = utf8_decode(p, end, &cp);
    if (*n_bytes == 0) {
        *n_bytes = 1;
        return PRETOKENIZE_OTHER;
    }
    return class_of(cp);
}

enum pretokenize_class pretokenize_char(const unsigned char *p, const unsigned char *end,
                                        size_t *n_bytes)
{
    return next_class(p, end, n_bytes);
}

/* The first byte in [p, end) where a run of this class ends. */
static const unsigned char *run_end(const unsigned char *p, const unsigned char *end,
                                    enum pretokenize_class class)
{
    size_t n = 0;
    while (p < end && next_class(p, end, &n) == class) {
        p += n;
    }
    return p;
}

/* White space gives its last character away, unless nothing follows or it would be left empty. */
static const unsigned char *space_end(const unsigned char *p, const unsigned char *end,
                                      bool may_be_empty)
{
    const unsigned char *const begin = p;
    const unsigned char *last = p;
    size_t n = 0;
    while (p < end && next_class(p, end, &n) == PRETOKENIZE_SPACE) {
        last = p;
        p += n;
    }
    return p < end && (may_be_empty || last > begin) ? last : p;
}

/* Bytes of 's 't 'm 'd 're 've 'll at p, 0 when it is none. */
static size_t contraction(const unsigned char *p, size_t left)
{
    if (left >= 2 && (p[1] == 's' || p[1] == 't' || p[1] == 'm' || p[1] == 'd')) {
        return 2;
    }
    if (left >= 3 && ((p[1] == 'r' && p[2] == 'e') || (p[1] == 'v' && p[2] == 'e') ||
                      (p[1] == 'l' && p[2] == 'l'))) {
        return 3;
    }
    return 0;
}

size_t pretokenize_piece(const unsigned char *p, const unsigned char *end,
                         enum pretokenize_class *class)
{
    const unsigned char *run = p;
    size_t n = 0;
    if (*p == '\'') {
        n = contraction(p, (size_t)(end - p));
        if (n > 0) {
            *class = PRETOKENIZE_LETTER;
            return n;
        }
    }
    *class = next_class(p, end, &n);
    if (*p == ' ' && p + 1 < end) {
        const enum pretokenize_class next = next_class(p + 1, end, &n);
        if (next != PRETOKENIZE_SPACE) {
            *class = next;
            run = p + 1;
        }
    }
    if (*class == PRETOKENIZE_SPACE) {
        return (size_t)(space_end(run, end, false) - p);
    }
    return (size_t)(run_end(run + n, end, *class) - p);
}

size_t pretokenize_rest(const unsigned char *p, const unsigned char *end,
                        enum pretokenize_class class)
{
    if (class == PRETOKENIZE_SPACE) {
        return (size_t)(space_end(p, end, true) - p);
    }
    return (size_t)(run_end(p, end, class) - p);
}
