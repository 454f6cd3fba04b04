/* Memory bandwidth by far-apart streams (one sequential stream per core reaches about two thirds of
 * it on server parts), arithmetic peak by independent chains in registers. */
#include "probe.h"

#include "cli.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define BUFFER_BYTES ((size_t)400 << 20) /* far more than any cache */

/* ---- one measurement on several threads ------------------------------------------------------ */

struct job {
    void (*fn)(const struct job *);
    pthread_barrier_t *start;
    const unsigned char *data; /* this thread's share */
    size_t n_bytes;
    size_t n_streams, chunk_bytes;
    double begin, end; /* seconds */
};

static void *job_main(void *arg)
{
    struct job *job = arg;
    pthread_barrier_wait(job->start);
    job->begin = cli_seconds();
    job->fn(job);
    job->end = cli_seconds();
    return NULL;
}

/* Seconds from the first start to the last end; negative when the threads could not be made. */
static double run(int32_t n_threads, const struct job *pattern)
{
    struct job *jobs = calloc((size_t)n_threads, sizeof *jobs);
    pthread_t *threads = calloc((size_t)n_threads, sizeof *threads);
    pthread_barrier_t start;
    if (!jobs || !threads || pthread_barrier_init(&start, NULL, (unsigned)n_threads)) {
        free(jobs);
        free(threads);
        return -1;
    }
    for (int32_t i = 0; i < n_threads; i++) {
        jobs[i] = *pattern;
        jobs[i].start = &start;
        if (pattern->data) {
            jobs[i].data = pattern->data + (size_t)i * pattern->n_bytes;
        }
        if (pthread_create(&threads[i], NULL, job_main, &jobs[i])) {
            _exit(1); /* the others wait at the barrier for ever; this is the child process */
        }
    }
    double begin = 0;
    double end = 0;
    for (int32_t i = 0; i < n_threads; i++) {
        pthread_join(threads[i], NULL);
        begin = i == 0 || jobs[i].begin < begin ? jobs[i].begin : begin;
        end = i == 0 || jobs[i].end > end ? jobs[i].end : end;
    }
    pthread_barrier_destroy(&start);
    free(jobs);
    free(threads);
    return end - begin;
}

static double median_run(int32_t n_threads, const struct job *pattern)
{
    double t[3];
    for (int r = 0; r < 3; r++) {
        t[r] = run(n_threads, pattern);
    }
    const double low = t[0] < t[1] ? t[0] : t[1];
    const double high = t[0] < t[1] ? t[1] : t[0];
    return t[2] < low ? low : t[2] > high ? high : t[2];
}

/* ---- memory ---------------------------------------------------------------------------------- */

static volatile uint64_t sink; /* keeps the loops from being removed */

static void read_streams(const struct job *job)
{
    const size_t stream_bytes = job->n_bytes / job->n_streams;
    uint64_t sum[8] = {0};
    for (size_t at = 0; at + job->chunk_bytes <= stream_bytes; at += job->chunk_bytes) {
        for (size_t is = 0; is < job->n_streams; is++) {
            const uint64_t *p =
                (const uint64_t *)(const void *)(job->data + is * stream_bytes + at);
            for (size_t i = 0; i < job->chunk_bytes / sizeof *p; i += 8) {
                for (size_t j = 0; j < 8; j++) {
                    sum[j] += p[i + j];
                }
            }
        }
    }
    for (size_t j = 1; j < 8; j++) {
        sum[0] += sum[j];
    }
    sink = sum[0];
}

static double measure_memory(int32_t n_threads)
{
    unsigned char *data =
        mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) {
        return 0;
    }
#if defined(MADV_HUGEPAGE)
    madvise(data, BUFFER_BYTES, MADV_HUGEPAGE);
#endif
    memset(data, 1, BUFFER_BYTES);
    static const size_t n_streams[] = {1, 2, 4, 8};
    static const size_t chunk_bytes[] = {256, 1024, 4096};
    double best = 0;
    for (size_t is = 0; is < sizeof n_streams / sizeof *n_streams; is++) {
        for (size_t ic = 0; ic < sizeof chunk_bytes / sizeof *chunk_bytes; ic++) {
            const size_t share = BUFFER_BYTES / (size_t)n_threads & ~(size_t)0xffff;
            const struct job pattern = {.fn = read_streams,
                                        .data = data,
                                        .n_bytes = share,
                                        .n_streams = n_streams[is],
                                        .chunk_bytes = chunk_bytes[ic]};
            const double t = median_run(n_threads, &pattern);
            const double gb_s = t > 0 ? (double)share * n_threads / t / 1e9 : 0;
            best = gb_s > best ? gb_s : best;
        }
    }
    munmap(data, BUFFER_BYTES);
    return best;
}

/* ---- arithmetic ------------------------------------------------------------------------------ */

#if defined(__x86_64__)

#define N_ITER 4000000
#define N_CHAIN 12 /* enough to cover the latency of any of these instructions twice over */

/* The empty asm makes x look new in every turn: nothing can be computed ahead or left out. */
#define CHAINS(name, isa, vec, zero, x0, step)                                                     \
    __attribute__((target(isa))) static void name(const struct job *job)                           \
    {                                                                                              \
        (void)job;                                                                                 \
        vec r[N_CHAIN];                                                                            \
        __typeof__(x0) x = x0;                                                                     \
        for (int i = 0; i < N_CHAIN; i++) {                                                        \
            r[i] = zero;                                                                           \
        }                                                                                          \
        for (int it = 0; it < N_ITER; it++) {                                                      \
            for (int i = 0; i < N_CHAIN; i++) {                                                    \
                r[i] = step(r[i], x, x);                                                           \
            }                                                                                      \
            __asm__ volatile("" : "+v"(x));                                                        \
        }                                                                                          \
        for (int i = 0; i < N_CHAIN; i++) {                                                        \
            __asm__ volatile("" : : "v"(r[i]));                                                    \
        }                                                                                          \
    }

CHAINS(fma_256, "avx2,fma", __m256, _mm256_setzero_ps(), _mm256_set1_ps(0.5f), _mm256_fmadd_ps)
CHAINS(fma_512, "avx512f", __m512, _mm512_setzero_ps(), _mm512_set1_ps(0.5f), _mm512_fmadd_ps)
CHAINS(bf16_512, "avx512bf16,avx512f", __m512, _mm512_setzero_ps(),
       (__m512bh)_mm512_set1_epi16(0x3f00), _mm512_dpbf16_ps)
CHAINS(vnni_512, "avx512vnni,avx512f", __m512i, _mm512_setzero_si512(), _mm512_set1_epi8(1),
       _mm512_dpbusd_epi32)

static double measure_chain(int32_t n_threads, void (*fn)(const struct job *), double ops_per_step)
{
    const double t = median_run(n_threads, &(struct job){.fn = fn});
    return t > 0 ? ops_per_step * N_CHAIN * N_ITER * n_threads / t / 1e9 : 0;
}

/* A machine with AMX: the tiles' peak cannot be had from registers of this file's instructions; the
 * share is then of the vector peak and may pass 100%. */
static double measure_peak(int32_t n_threads, gpt2c_cpu tier, gpt2c_dtype dtype)
{
    double peak = 0;
    if (tier >= GPT2C_CPU_AVX512) {
        peak = measure_chain(n_threads, fma_512, 2 * 16);
        if (dtype == GPT2C_DTYPE_BF16 && __builtin_cpu_supports("avx512bf16")) {
            const double bf16 = measure_chain(n_threads, bf16_512, 2 * 32);
            peak = bf16 > peak ? bf16 : peak;
        }
        if (dtype == GPT2C_DTYPE_INT8 && __builtin_cpu_supports("avx512vnni")) {
            const double vnni = measure_chain(n_threads, vnni_512, 2 * 64);
            peak = vnni > peak ? vnni : peak;
        }
    } else if (tier == GPT2C_CPU_AVX2) {
        peak = measure_chain(n_threads, fma_256, 2 * 8);
    }
    return peak;
}

#else

static double measure_peak(int32_t n_threads, gpt2c_cpu tier, gpt2c_dtype dtype)
{
    (void)n_threads;
    (void)tier;
    (void)dtype;
    return 0;
}

#endif

bool probe_machine(int32_t n_threads, gpt2c_cpu tier, gpt2c_dtype dtype, struct probe *out)
{
    *out = (struct probe){0};
    int fd[2];
    if (pipe(fd)) {
        return false;
    }
    const pid_t child = fork();
    if (child == 0) {
        const struct probe p = {.read_gb_s = measure_memory(n_threads),
                                .peak_gflop_s = measure_peak(n_threads, tier, dtype)};
        const bool sent = write(fd[1], &p, sizeof p) == (ssize_t)sizeof p;
        _exit(sent ? 0 : 1);
    }
    close(fd[1]);
    bool ok = child > 0 && read(fd[0], out, sizeof *out) == (ssize_t)sizeof *out;
    close(fd[0]);
    if (child > 0) {
        int status;
        ok = waitpid(child, &status, 0) == child && status == 0 && ok;
    }
    return ok;
}
