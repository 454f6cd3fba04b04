/* What the processor, the operating system and the container allow: kernel tiers and cores. Asks
 * CPUID only together with XCR0, because a set that the system does not save must not be used.
 * This file and team.c know Linux; elsewhere the answers are the safe ones.
 */
#include "cpu.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sched.h>
#include <sys/syscall.h>
#endif

/* ---- instruction sets ------------------------------------------------------------------------ */

enum { /* one word of answers, so that asking once needs no lock */
       CPU_KNOWN = 1 << 0,
       CPU_VNNI = 1 << 1,
       CPU_FAST_BF16 = 1 << 2,
       CPU_TIER_SHIFT = 8
};

#if defined(__x86_64__)

#define BIT(word, n) (((word) >> (n)) & 1u)
#define XCR0_YMM 0x6u      /* SSE and AVX state            */
#define XCR0_ZMM 0xe6u     /* and masks, upper halves, ZMM16-31 */
#define XCR0_TILE 0x60000u /* tile configuration and data  */

static uint64_t xcr0_read(void)
{
    uint32_t lo;
    uint32_t hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

/* Linux keeps the tile state off until a process asks for it. */
static bool tile_permission(void)
{
#if defined(__linux__) && defined(SYS_arch_prctl)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
    return false;
#endif
}

static bool vendor_is_amd(void)
{
    uint32_t max;
    uint32_t text[3];
    return __get_cpuid(0, &max, &text[0], &text[2], &text[1]) &&
           memcmp(text, "AuthenticAMD", sizeof text) == 0;
}

static int cpu_ask(void)
{
    uint32_t a;
    uint32_t b;
    uint32_t c;
    uint32_t d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) {
        return CPU_KNOWN;
    }
    const bool osxsave = BIT(c, 27) && BIT(c, 26);
    const bool avx_fma_f16c = BIT(c, 28) && BIT(c, 12) && BIT(c, 29);
    if (!osxsave || !avx_fma_f16c) {
        return CPU_KNOWN;
    }
    const uint64_t xcr0 = xcr0_read();
    uint32_t b7;
    uint32_t c7;
    uint32_t d7;
    if ((xcr0 & XCR0_YMM) != XCR0_YMM || !__get_cpuid_count(7, 0, &a, &b7, &c7, &d7) ||
        !BIT(b7, 5)) {
        return CPU_KNOWN;
    }
    const bool avx512 = BIT(b7, 16) && BIT(b7, 17) && BIT(b7, 30) && BIT(b7, 31); /* F DQ BW VL */
    if ((xcr0 & XCR0_ZMM) != XCR0_ZMM || !avx512) {
        return CPU_KNOWN | GPT2C_CPU_AVX2 << CPU_TIER_SHIFT;
    }
    const bool avx512_bf16 = __get_cpuid_count(7, 1, &a, &b, &c, &d) && BIT(a, 5);
    int answer = CPU_KNOWN;
    answer |= BIT(c7, 11) ? CPU_VNNI : 0;
    answer |= avx512_bf16 && vendor_is_amd() ? CPU_FAST_BF16 : 0;
    const bool amx = BIT(d7, 24) && BIT(d7, 22) && (xcr0 & XCR0_TILE) == XCR0_TILE; /* TILE BF16 */
    const gpt2c_cpu tier = amx && tile_permission() ? GPT2C_CPU_AMX : GPT2C_CPU_AVX512;
    return answer | (int)tier << CPU_TIER_SHIFT;
}

#else

static int cpu_ask(void)
{
    return CPU_KNOWN;
}

#endif

static int cpu_answer(void)
{
    static _Atomic int known; /* two threads that ask at once find the same */
    int answer = atomic_load_explicit(&known, memory_order_relaxed);
    if (answer == 0) {
        answer = cpu_ask();
        atomic_store_explicit(&known, answer, memory_order_relaxed);
    }
    return answer;
}

gpt2c_cpu cpu_best(void)
{
    return (gpt2c_cpu)(cpu_answer() >> CPU_TIER_SHIFT);
}

bool cpu_has_vnni(void)
{
    return (cpu_answer() & CPU_VNNI) != 0;
}

bool cpu_has_fast_bf16(void)
{
    return (cpu_answer() & CPU_FAST_BF16) != 0;
}

/* ---- cores ----------------------------------------------------------------------------------- */

#if defined(__linux__)

#define PATH_CAP 4352 /* a cgroup's path and the folders around it */

/* The first line of a small file, without its newline; false when there is none. */
static bool line_read(const char *path, char *line, size_t cap)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        return false;
    }
    const bool ok = fgets(line, (int)cap, f) != NULL;
    fclose(f);
    if (ok) {
        line[strcspn(line, "\n")] = '\0';
    }
    return ok;
}

/* The lowest CPU of the mask among the hardware threads of this one's core. The file lists them in
 * rising order as in "3,7" or "6-7". */
static int core_leader(int cpu, const cpu_set_t *mask, size_t mask_bytes)
{
    char path[128];
    char line[1024];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    if (!line_read(path, line, sizeof line)) {
        return cpu;
    }
    for (const char *p = line; *p;) {
        int lo;
        int hi;
        int n_read = 0;
        if (sscanf(p, "%d%n", &lo, &n_read) != 1) {
            break;
        }
        p += n_read;
        hi = lo;
        if (*p == '-' && sscanf(p + 1, "%d%n", &hi, &n_read) == 1) {
            p += n_read + 1;
        }
        for (int sibling = lo; sibling <= hi && sibling < cpu; sibling++) {
            if (CPU_ISSET_S(sibling, mask_bytes, mask)) {
                return sibling;
            }
        }
        p += *p == ',';
    }
    return cpu;
}

/* Physical cores of the affinity mask. */
static int32_t cores_allowed(void)
{
    enum { N_CPU_MAX = 1 << 13 };
    static const size_t mask_bytes = CPU_ALLOC_SIZE(N_CPU_MAX);
    cpu_set_t *mask = CPU_ALLOC(N_CPU_MAX);
    int32_t n_cores = 0;
    if (mask && sched_getaffinity(0, mask_bytes, mask) == 0) {
        for (int cpu = 0; cpu < N_CPU_MAX; cpu++) {
            n_cores +=
                CPU_ISSET_S(cpu, mask_bytes, mask) && core_leader(cpu, mask, mask_bytes) == cpu;
        }
    }
    CPU_FREE(mask);
    return n_cores > 0 ? n_cores : 1;
}

/* Whole CPUs that one cgroup's folder grants; INT32_MAX: no limit. */
static int32_t quota_of(const char *folder, bool v2)
{
    char path[PATH_CAP + 64];
    char line[128];
    long long quota = -1;
    long long period = 0;
    if (v2) {
        snprintf(path, sizeof path, "%s/cpu.max", folder);
        if (!line_read(path, line, sizeof line) ||
            sscanf(line, "%lld %lld", &quota, &period) != 2) {
            return INT32_MAX; /* "max 100000" */
        }
    } else {
        snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
        if (!line_read(path, line, sizeof line) || sscanf(line, "%lld", &quota) != 1) {
            return INT32_MAX;
        }
        snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
        if (!line_read(path, line, sizeof line) || sscanf(line, "%lld", &period) != 1) {
            return INT32_MAX;
        }
    }
    if (quota <= 0 || period <= 0 || quota / period >= INT32_MAX) {
        return INT32_MAX;
    }
    return quota < period ? 1 : (int32_t)(quota / period);
}

/* The least quota of a cgroup and those above it. Inside a container the path may be the host's,
 * then only the root of what is mounted exists, and that is the container's own. */
static int32_t quota_of_path(const char *mount, const char *cgroup, bool v2)
{
    char folder[PATH_CAP];
    int32_t n_cpus = INT32_MAX;
    const int n = snprintf(folder, sizeof folder, "%s%s", mount, cgroup);
    if (n < 0 || (size_t)n >= sizeof folder) {
        return n_cpus;
    }
    for (;;) {
        const int32_t quota = quota_of(folder, v2);
        n_cpus = quota < n_cpus ? quota : n_cpus;
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < strlen(mount)) {
            return n_cpus;
        }
        *slash = '\0';
    }
}

static bool has_word(const char *list, const char *word)
{
    const size_t n = strlen(word);
    for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0')) {
            return true;
        }
    }
    return false;
}

/* Whole CPUs granted by the control groups of this process; INT32_MAX: no limit. */
static int32_t cpus_granted(void)
{
    FILE *f = fopen("/proc/self/cgroup", "re");
    char line[4096];
    int32_t n_cpus = INT32_MAX;
    while (f && fgets(line, sizeof line, f)) { /* id:controllers:path */
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path) {
            continue;
        }
        *path++ = '\0';
        controllers++;
        int32_t quota = INT32_MAX;
        if (*controllers == '\0') {
            quota = quota_of_path("/sys/fs/cgroup", path, true);
        } else if (has_word(controllers, "cpu")) {
            quota = quota_of_path("/sys/fs/cgroup/cpu", path, false);
        }
        n_cpus = quota < n_cpus ? quota : n_cpus;
    }
    if (f) {
        fclose(f);
    }
    return n_cpus;
}

int32_t gpt2c_cpu_threads(void)
{
    const int32_t n_cores = cores_allowed();
    const int32_t n_cpus = cpus_granted();
    return n_cores < n_cpus ? n_cores : n_cpus;
}

#else

int32_t gpt2c_cpu_threads(void)
{
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 && n < INT32_MAX ? (int32_t)n : 1;
}

#endif
