/* checkkern: every kernel of every tier against a judge in double precision, and its speed.
 *
 *   checkkern [--kernel NAME] [--tier NAME] [--seed N] [--repeat N] [--bench [--csv]]
 */
#include "checkkern.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define EXIT_SKIP 77
#define N_GUARD 64 /* floats */
#define N_BLOCKS 64

struct options options = {.repeat = 6};

static char subject[256];
static long n_checks;
static long n_failures;
static uint64_t random_state;

bool kernel_wanted(const char *name)
{
    return !options.kernel || strcmp(options.kernel, name) == 0;
}

/* ---- random numbers -------------------------------------------------------------------------- */

static uint64_t random_next(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void random_start(const char *name)
{
    random_state = options.seed;
    for (; *name; name++) {
        random_state = random_next() + (unsigned char)*name;
    }
}

int32_t random_int(int32_t lo, int32_t hi)
{
    return lo + (int32_t)(random_next() % (uint64_t)(hi - lo + 1));
}

int32_t random_of(const int32_t *choices, size_t n)
{
    return choices[random_next() % n];
}

float random_float(void)
{
    float sum = 0;
    if (random_next() % 64 == 0) {
        return 0;
    }
    for (int i = 0; i < 6; i++) {
        sum += (float)(int32_t)(random_next() >> 32) * 0x1p-31f;
    }
    return sum * 0.7f;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static struct {
    void *map;
    size_t map_bytes;
    float *output; /* NULL: read only */
    size_t n;
} blocks[N_BLOCKS];
static int n_blocks;

static unsigned char *pages(size_t n_bytes, size_t *mapped)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t n = (n_bytes + page - 1) / page * page;
    unsigned char *p =
        mmap(NULL, n + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || n_blocks == N_BLOCKS || mprotect(p + n, page, PROT_NONE) != 0) {
        perror("checkkern: memory");
        exit(1);
    }
    blocks[n_blocks].map = p;
    blocks[n_blocks].map_bytes = n + page;
    blocks[n_blocks].output = NULL;
    n_blocks++;
    *mapped = n;
    return p;
}

void *memory_read_only(size_t n_bytes, size_t slack)
{
    size_t mapped;
    unsigned char *p = pages(n_bytes + slack, &mapped);
    return p + mapped - slack - n_bytes;
}

static float pattern(size_t i)
{
    return -1e30f - 1e25f * (float)(i % 7);
}

float *memory_output(size_t n)
{
    size_t mapped;
    const size_t bytes = (n + 2 * N_GUARD + 16) * sizeof(float);
    float *p = (float *)(void *)pages(bytes, &mapped) + N_GUARD;
    blocks[n_blocks - 1].output = p;
    blocks[n_blocks - 1].n = n;
    for (size_t i = 0; i < n + 2 * N_GUARD; i++) {
        p[(ptrdiff_t)i - N_GUARD] = pattern(i);
    }
    return p;
}

bool memory_untouched(const float *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!(p[i] <= -1e30f)) {
            return false;
        }
    }
    return true;
}

void memory_check(void)
{
    for (int b = 0; b < n_blocks; b++) {
        const float *p = blocks[b].output;
        if (p && !(memory_untouched(p - N_GUARD, N_GUARD) &&
                   memory_untouched(p + blocks[b].n, N_GUARD))) {
            fail("wrote outside of its output");
        }
    }
}

void memory_free(void)
{
    while (n_blocks > 0) {
        n_blocks--;
        munmap(blocks[n_blocks].map, blocks[n_blocks].map_bytes);
    }
}

/* ---- verdicts -------------------------------------------------------------------------------- */

void describe(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(subject, sizeof subject, fmt, ap);
    va_end(ap);
    n_checks++;
}

void fail(const char *fmt, ...)
{
    va_list ap;
    n_failures++;
    if (n_failures > 20) {
        return;
    }
    fprintf(stderr, "%s: ", subject);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

void expect_near(double found, double expected, double bound, int32_t row, int32_t col)
{
    if (!(fabs(found - expected) <= bound)) {
        fail("[%" PRId32 "][%" PRId32 "] is %.9g, expected %.9g within %.3g (off by %.3g)", row,
             col, found, expected, bound, fabs(found - expected));
    }
}

void expect_same(const float *found, const float *expected, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++) {
        if (memcmp(&found[i], &expected[i], sizeof *found) != 0) {
            fail("%s: element %zu is %.9g, expected the same bits as %.9g", what, i,
                 (double)found[i], (double)expected[i]);
            return;
        }
    }
}

/* ---- timing ---------------------------------------------------------------------------------- */

static struct {
    char name[96];
    double ns;
} reference[128];
static int n_reference;

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The best of several stretches of calls. */
static double time_ns(void (*fn)(void *), void *arg)
{
    enum { N_STRETCHES = 7 };
    const double stretch_ns = 5e6;
    double start = now_ns();
    fn(arg);
    const double once = now_ns() - start;
    const int n_calls = once > stretch_ns ? 1 : (int)(stretch_ns / (once + 20)) + 1;
    double best = INFINITY;
    for (int i = 0; i < (once > 1e8 ? 1 : N_STRETCHES); i++) {
        start = now_ns();
        for (int c = 0; c < n_calls; c++) {
            fn(arg);
        }
        best = fmin(best, (now_ns() - start) / n_calls);
    }
    return best;
}

static double reference_ns(const char *tier, const char *name, double ns)
{
    for (int i = 0; i < n_reference; i++) {
        if (strcmp(reference[i].name, name) == 0) {
            return reference[i].ns;
        }
    }
    if (strcmp(tier, "ref") != 0 || n_reference == (int)(sizeof reference / sizeof *reference)) {
        return NAN;
    }
    snprintf(reference[n_reference].name, sizeof reference->name, "%s", name);
    reference[n_reference++].ns = ns;
    return ns;
}

void bench(const char *tier, const char *kernel, const char *shape, double n_bytes, double n_flops,
           void (*fn)(void *), void *arg)
{
    char name[96];
    const double ns = time_ns(fn, arg);
    snprintf(name, sizeof name, "%s %s", kernel, shape);
    const double ratio = reference_ns(tier, name, ns) / ns;
    printf(options.csv ? "%s,%s,%s,%.0f,%.2f,%.2f,%.2f\n"
                       : "%-10s %-14s %-36s %12.0f ns %8.2f GB/s %8.2f GFLOP/s %7.2f x ref\n",
           tier, kernel, shape, ns, n_bytes / ns, n_flops / ns, ratio);
    fflush(stdout);
    n_checks++;
}

/* ---- main ------------------------------------------------------------------------------------ */

static void run(const struct kernels *kern)
{
    if (options.tier && strcmp(options.tier, kern->name) != 0) {
        return;
    }
    if (options.bench) {
        bench_linear(kern);
        bench_rows(kern);
        bench_attention(kern);
    } else {
        check_linear(kern);
        check_rows(kern);
        check_attention(kern);
    }
}

static bool number(const char *text, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 0);
    return *text && !*end;
}

static bool parse(int argc, char **argv)
{
    options.seed = (uint64_t)time(NULL);
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        uint64_t n = 0;
        if (strcmp(argv[i], "--bench") == 0) {
            options.bench = true;
        } else if (strcmp(argv[i], "--csv") == 0) {
            options.csv = true;
        } else if (!value) {
            return false;
        } else if (strcmp(argv[i], "--kernel") == 0) {
            options.kernel = argv[++i];
        } else if (strcmp(argv[i], "--tier") == 0) {
            options.tier = argv[++i];
        } else if (strcmp(argv[i], "--seed") == 0 && number(value, &n)) {
            options.seed = n;
            i++;
        } else if (strcmp(argv[i], "--repeat") == 0 && number(value, &n) && n < 1000000) {
            options.repeat = (int32_t)n;
            i++;
        } else {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    if (!parse(argc, argv)) {
        fprintf(stderr, "usage: checkkern [--kernel NAME] [--tier NAME] [--seed N] [--repeat N] "
                        "[--bench [--csv]]\n");
        return 2;
    }
    fprintf(stderr, "seed %" PRIu64 "\n", options.seed);
    for (gpt2c_cpu tier = GPT2C_CPU_REF; tier <= GPT2C_CPU_AMX; tier++) {
        const struct kernels *kern = kernels_select(tier);
        if (kern->tier == tier) {
            run(kern);
#if HAVE_AMX_EMULATED
        } else if (tier == GPT2C_CPU_AMX && kern->tier == GPT2C_CPU_AVX512 && !options.bench) {
            fprintf(stderr, "amx: tiles emulated\n");
            run(&kernels_amx_emulated);
#endif
        } else {
            fprintf(stderr, "%s: not built, or not on this machine\n", gpt2c_cpu_name(tier));
        }
    }
    fprintf(stderr, "%ld cases, %ld failures\n", n_checks, n_failures);
    return n_checks == 0 ? EXIT_SKIP : n_failures > 0;
}
