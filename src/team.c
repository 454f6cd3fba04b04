/* The thread team on OpenMP: one parallel region per evaluation, with its own barrier and its own
 * ticket counter inside, because a region or a loop construct per operation costs more than the
 * operation. Without OpenMP the team is the caller alone.
 */
#include "team.h"

#include <sched.h>
#include <stdatomic.h>
#if defined(_OPENMP)
#include <omp.h>
#endif

#define CACHE_LINE 64
#define N_SPIN 300 /* looks at the barrier before letting others run: some 5 to 15 µs */

struct team {
    int32_t n_members;
    /* Each on a line of its own: members write them at the same time. */
    _Alignas(CACHE_LINE) _Atomic int32_t n_arrived;
    _Alignas(CACHE_LINE) _Atomic uint32_t generation; /* of the barrier */
    _Alignas(CACHE_LINE) _Atomic int32_t ticket;      /* next task; 0 after every barrier */
};

static inline void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

bool gpt2c_has_openmp(void)
{
#if defined(_OPENMP)
    return true;
#else
    return false;
#endif
}

void team_run(int32_t n_threads, team_fn fn, void *arg)
{
    struct team tm = {.n_members = 1};
#if defined(_OPENMP)
    if (n_threads > 1) {
#pragma omp parallel num_threads(n_threads)
        {
            /* The runtime may grant fewer; the construct ends with a barrier of its own. */
#pragma omp single
            tm.n_members = omp_get_num_threads();
            fn(&tm, omp_get_thread_num(), arg);
        }
        return;
    }
#else
    (void)n_threads;
#endif
    fn(&tm, 0, arg);
}

void team_barrier(struct team *tm)
{
    const uint32_t generation = atomic_load_explicit(&tm->generation, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&tm->n_arrived, 1, memory_order_acq_rel) == tm->n_members - 1) {
        atomic_store_explicit(&tm->n_arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&tm->ticket, 0, memory_order_relaxed);
        atomic_store_explicit(&tm->generation, generation + 1, memory_order_release);
        return;
    }
    int32_t n_spin = 0;
    while (atomic_load_explicit(&tm->generation, memory_order_acquire) == generation) {
        if (n_spin < N_SPIN) {
            n_spin++;
            pause_cpu();
        } else {
            sched_yield();
        }
    }
}

void team_for(struct team *tm, int32_t member, int32_t n_tasks, team_task_fn fn, void *arg)
{
    for (;;) {
        const int32_t task = atomic_fetch_add_explicit(&tm->ticket, 1, memory_order_relaxed);
        if (task >= n_tasks) {
            break;
        }
        fn(arg, task, member);
    }
    team_barrier(tm);
}

int32_t team_size(const struct team *tm)
{
    return tm->n_members;
}
