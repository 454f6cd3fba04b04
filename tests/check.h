/* Assertions for tests: print both values and where, count failures, and do not vanish with NDEBUG.
 * Include it in one file per program; end main with `return check_result();`. */
#ifndef CHECK_H
#define CHECK_H

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CHECK_SKIP 77 /* exit code with which meson counts a test as skipped */

static int check_failures;
static long check_count;

#define CHECK(cond) check_true((cond), #cond, __FILE__, __LINE__)
#define CHECK_INT(found, expected) check_int((found), (expected), #found, __FILE__, __LINE__)
#define CHECK_STR(found, expected) check_str((found), (expected), #found, __FILE__, __LINE__)
/* part occurs in text: for messages that must name something */
#define CHECK_HAS(text, part) check_has((text), (part), #text, __FILE__, __LINE__)
#define CHECK_NEAR(found, expected, bound) \
    check_near((found), (expected), (bound), #found, __FILE__, __LINE__)

static inline bool check_true(bool ok, const char *what, const char *file, int line)
{
    check_count++;
    if (!ok) {
        check_failures++;
        fprintf(stderr, "%s:%d: false: %s\n", file, line, what);
    }
    return ok;
}

static inline bool check_int(intmax_t found, intmax_t expected, const char *what, const char *file,
                             int line)
{
    check_count++;
    if (found != expected) {
        check_failures++;
        fprintf(stderr, "%s:%d: %s is %jd, expected %jd\n", file, line, what, found, expected);
    }
    return found == expected;
}

static inline bool check_str(const char *found, const char *expected, const char *what,
                             const char *file, int line)
{
    const bool ok = found && expected ? strcmp(found, expected) == 0 : found == expected;
    check_count++;
    if (!ok) {
        check_failures++;
        fprintf(stderr, "%s:%d: %s is \"%s\", expected \"%s\"\n", file, line, what,
                found ? found : "(null)", expected ? expected : "(null)");
    }
    return ok;
}

static inline bool check_has(const char *text, const char *part, const char *what, const char *file,
                             int line)
{
    const bool ok = text && strstr(text, part);
    check_count++;
    if (!ok) {
        check_failures++;
        fprintf(stderr, "%s:%d: %s is \"%s\", which lacks \"%s\"\n", file, line, what,
                text ? text : "(null)", part);
    }
    return ok;
}

static inline bool check_near(double found, double expected, double bound, const char *what,
                              const char *file, int line)
{
    const bool ok = found == expected || fabs(found - expected) <= bound; /* equal infinities */
    check_count++;
    if (!ok) {
        check_failures++;
        fprintf(stderr, "%s:%d: %s is %.17g, expected %.17g within %g\n", file, line, what, found,
                expected, bound);
    }
    return ok;
}

/* The exit code. A program that checked nothing has not passed. */
static inline int check_result(void)
{
    if (check_count == 0) {
        fprintf(stderr, "nothing was checked\n");
        return CHECK_SKIP;
    }
    fprintf(stderr, "%ld checks, %d failed\n", check_count, check_failures);
    return check_failures ? 1 : 0;
}

#endif
