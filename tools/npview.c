/* NumPy's array2string for one rank: choice of notation, common columns, wrapped rows. */
#include "npview.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    EDGE = 3,         /* rows and columns that an excerpt keeps at either end */
    THRESHOLD = 1000, /* numbers up to which everything is printed            */
    LINE_WIDTH = 75,
    PRECISION = 8,
    INDENT = 3, /* of the continued lines of a row: the brackets */
    WORD_MAX = 64
};

struct view {
    const float *x;
    size_t n_row, n_col;
    bool excerpt;
    bool scientific;
    int n_fraction;          /* scientific: digits after the point */
    int pad_left, pad_right; /* columns before and after the point */
};

/* The i-th printed of n things; *gap when the dots come before it. */
static size_t shown(const struct view *v, size_t n, size_t i, bool *gap)
{
    const bool cut = v->excerpt && n > 2 * EDGE;
    *gap = cut && i == EDGE;
    return cut && i >= EDGE ? n - 2 * EDGE + i : i;
}

static size_t n_shown(const struct view *v, size_t n)
{
    return v->excerpt && n > 2 * EDGE ? 2 * EDGE : n;
}

/* Digits after the first of the shortest decimal that reads back as x; *exponent of that form. */
static int shortest(float x, int *exponent)
{
    char text[WORD_MAX];
    int n = 0;
    for (n = 0; n < 8; n++) {
        snprintf(text, sizeof text, "%.*e", n, (double)x);
        if (strtof(text, NULL) == x) {
            break;
        }
    }
    snprintf(text, sizeof text, "%.*e", n, (double)x);
    *exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
    return n;
}

/* The number without padding; where its point stands in *n_left. */
static int format_number(const struct view *v, float x, char text[WORD_MAX], int *n_left)
{
    if (v->scientific) {
        snprintf(text, WORD_MAX, "%#.*e", v->n_fraction, (double)x);
    } else {
        int exponent = 0;
        int n = shortest(x, &exponent) - exponent;
        n = n < 0 ? 0 : n > PRECISION ? PRECISION : n;
        snprintf(text, WORD_MAX, "%#.*f", n, (double)x);
        for (size_t end = strlen(text); text[end - 1] == '0'; end--) {
            text[end - 1] = '\0';
        }
    }
    *n_left = (int)strcspn(text, ".");
    return (int)strlen(text);
}

/* One notation and one width for all numbers that are printed. */
static void choose_format(struct view *v)
{
    float largest = 0.0f;
    float smallest = INFINITY;
    bool gap = false;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < n_shown(v, v->n_row); i++) {
            const float *row = v->x + shown(v, v->n_row, i, &gap) * v->n_col;
            for (size_t j = 0; j < n_shown(v, v->n_col); j++) {
                const float x = row[shown(v, v->n_col, j, &gap)];
                int exponent = 0;
                int n_left = 0;
                char text[WORD_MAX];
                if (pass == 0) {
                    const int n_fraction = shortest(x, &exponent);
                    v->n_fraction = n_fraction > v->n_fraction ? n_fraction : v->n_fraction;
                    largest = fmaxf(largest, fabsf(x));
                    smallest = x != 0.0f ? fminf(smallest, fabsf(x)) : smallest;
                    continue;
                }
                const int n_right = format_number(v, x, text, &n_left) - n_left - 1;
                v->pad_left = n_left > v->pad_left ? n_left : v->pad_left;
                v->pad_right = n_right > v->pad_right ? n_right : v->pad_right;
            }
        }
        v->scientific = largest > 0.0f &&
                        (largest >= 1e6f || smallest < 1e-4f || largest / smallest > 1000.0f);
    }
}

/* Adds a word to the line of `used` columns; past the right edge it begins a new one. NumPy drops
 * the blanks at the end of a line that it breaks. */
static int put_word(FILE *f, const char *word, int used, int *n_blank)
{
    int n = (int)strlen(word);
    if (used > INDENT && used + *n_blank + n > LINE_WIDTH - INDENT) {
        fprintf(f, "\n%*s", INDENT, "");
        used = INDENT;
        *n_blank = 0;
    }
    fprintf(f, "%*s", *n_blank, "");
    used += *n_blank;
    *n_blank = 0;
    while (n > 0 && word[n - 1] == ' ') {
        n--;
        (*n_blank)++;
    }
    fprintf(f, "%.*s", n, word);
    return used + n;
}

static void put_row(FILE *f, const struct view *v, const float *row)
{
    const size_t n = n_shown(v, v->n_col);
    int used = INDENT;
    int n_blank = 0;
    for (size_t j = 0; j < n; j++) {
        char text[WORD_MAX];
        char word[2 * WORD_MAX];
        bool gap = false;
        int n_left = 0;
        const float x = row[shown(v, v->n_col, j, &gap)];
        if (gap) {
            used = put_word(f, "...", used, &n_blank);
            n_blank++;
        }
        const int n_right = format_number(v, x, text, &n_left) - n_left - 1;
        snprintf(word, sizeof word, "%*s%s%*s", v->pad_left - n_left, "", text,
                 v->pad_right - n_right, "");
        used = put_word(f, word, used, &n_blank);
        n_blank += j + 1 < n;
    }
    fprintf(f, "%*s", n_blank, "");
}

void npview_print(FILE *f, const float *x, size_t n_row, size_t n_col)
{
    struct view v = {.x = x, .n_row = n_row, .n_col = n_col};
    v.excerpt = n_row > THRESHOLD / n_col; /* n_row * n_col > THRESHOLD */
    choose_format(&v);
    fputs("[[[", f);
    for (size_t i = 0; i < n_shown(&v, n_row); i++) {
        bool gap = false;
        const float *row = x + shown(&v, n_row, i, &gap) * n_col;
        if (gap) {
            fputs("\n  ...", f);
        }
        if (i > 0) {
            fputs("\n  [", f);
        }
        put_row(f, &v, row);
        fputc(']', f);
    }
    fputs("]]\n", f);
}
