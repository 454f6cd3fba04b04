/* Shared by the checks of kernels: random numbers, memory that notices writes and reads outside of
 * it, comparing with a judge in double precision, and timing. */
#ifndef CHECKKERN_H
#define CHECKKERN_H

#include "kernels/kernels.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#if HAVE_AMX_EMULATED
extern const struct kernels kernels_amx_emulated; /* amx.c behind amx_emulated.h */
#endif

#define EPS 0x1p-24 /* half a unit in the last place of 1.0f */

struct options {
    const char *kernel; /* NULL: all */
    const char *tier;
    uint64_t seed;
    int32_t repeat; /* random shapes of each case */
    bool bench, csv;
};
extern struct options options;

bool kernel_wanted(const char *name);

/* Random numbers that depend on the seed alone. */
void random_start(const char *name);        /* so that a case is the same whatever runs before it */
int32_t random_int(int32_t lo, int32_t hi); /* lo … hi */
int32_t random_of(const int32_t *choices, size_t n);
float random_float(void); /* about normal, some exact zeros */

/* n bytes that end `slack` bytes before a page that faults; all given back by memory_free. */
void *memory_read_only(size_t n_bytes, size_t slack);
/* n floats that start and end at 64 floats of a pattern, themselves filled with it. */
float *memory_output(size_t n);
bool memory_untouched(const float *p, size_t n); /* they still hold the pattern */
void memory_check(void);                         /* fails when a surrounding was written to */
void memory_free(void);

/* What is being checked, for messages; printf-like. */
void describe(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void expect_near(double found, double expected, double bound, int32_t row, int32_t col);
void expect_same(const float *found, const float *expected, size_t n, const char *what);

/* Times fn; prints one line. Rates are of n_bytes read and n_flops done by one call; 0: not given.
 * The ratio is to the last call with the same name and shape on the ref tier. */
void bench(const char *tier, const char *kernel, const char *shape, double n_bytes, double n_flops,
           void (*fn)(void *), void *arg);

/* One check and one bench for each family; they ask kernel_wanted. */
void check_linear(const struct kernels *kern);
void check_rows(const struct kernels *kern);
void check_attention(const struct kernels *kern);
void bench_linear(const struct kernels *kern);
void bench_rows(const struct kernels *kern);
void bench_attention(const struct kernels *kern);

#endif
