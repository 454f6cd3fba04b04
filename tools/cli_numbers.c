/* Numbers and lists of numbers from the command line. */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool cli_parse_int(const char *text, int64_t *out)
{
    const char *digits = text + (*text == '-' || *text == '+');
    if (!isdigit((unsigned char)*digits)) {
        return false;
    }
    char *end = NULL;
    errno = 0;
    const long long x = strtoll(text, &end, 10);
    if (*end || errno) {
        return false;
    }
    *out = x;
    return true;
}

bool cli_parse_real(const char *text, double *out)
{
    if (!*text || strspn(text, "+-.0123456789eE") != strlen(text)) {
        return false; /* strtod would take spaces, hexadecimal, inf and nan */
    }
    char *end = NULL;
    const double x = strtod(text, &end);
    if (*end || !isfinite(x)) {
        return false;
    }
    *out = x;
    return true;
}

/* One number of a list from *p on, resolved to 0 … n-1; advances *p. */
static int parse_index(const char *text, const char **p, const char *what, int32_t n, int32_t *out)
{
    char *end = NULL;
    errno = 0;
    const char *digits = *p + (**p == '-');
    const long long x = strtoll(*p, &end, 10);
    if (!isdigit((unsigned char)*digits) || errno) {
        return cli_fail(EXIT_USAGE,
                        "--%s: want 'all', a number such as 0 or -1, or a list such as "
                        "0,3-5; got '%s'",
                        what, text);
    }
    const long long resolved = x < 0 ? x + n : x;
    if (resolved < 0 || resolved >= n) {
        return cli_fail(EXIT_USAGE,
                        "--%s %lld is out of range: there are %d, numbered 0 to %d "
                        "(or -%d to -1)",
                        what, x, n, n - 1, n);
    }
    *p = end;
    *out = (int32_t)resolved;
    return EXIT_OK;
}

static int parse_ranges(const char *text, const char *what, int32_t n, int32_t *list,
                        int32_t *n_list)
{
    bool *seen = cli_alloc((size_t)n, sizeof *seen);
    const char *p = text;
    int code = EXIT_OK;
    for (;;) {
        int32_t first = 0;
        int32_t last = 0;
        code = parse_index(text, &p, what, n, &first);
        last = first;
        if (!code && *p == '-') {
            p++;
            code = parse_index(text, &p, what, n, &last);
        }
        if (!code && last < first) {
            code = cli_fail(EXIT_USAGE, "--%s: range in '%s' runs backwards", what, text);
        }
        for (int32_t i = first; !code && i <= last; i++) {
            if (!seen[i]) {
                seen[i] = true;
                list[(*n_list)++] = i;
            }
        }
        if (code || !*p) {
            break;
        }
        if (*p != ',') {
            code = cli_fail(EXIT_USAGE, "--%s: cannot read '%s' from '%s' on", what, text, p);
            break;
        }
        p++;
    }
    free(seen);
    return code;
}

int cli_parse_list(const char *text, const char *what, int32_t n, int32_t **list, int32_t *n_list)
{
    *list = cli_alloc((size_t)n, sizeof **list);
    *n_list = 0;
    if (strcmp(text, "all") == 0) {
        for (int32_t i = 0; i < n; i++) {
            (*list)[i] = i;
        }
        *n_list = n;
        return EXIT_OK;
    }
    const int code = parse_ranges(text, what, n, *list, n_list);
    if (code) {
        free(*list);
        *list = NULL;
        *n_list = 0;
    }
    return code;
}
