/* One aligned block for all of a session's memory. */
#include "arena.h"

#include "status.h"

#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#define HUGE_PAGE ((size_t)2 << 20)

void *arena_carve(struct arena *arena, size_t n_elem, size_t elem_bytes)
{
    size_t n_bytes;
    size_t end;
    if (!size_mul(n_elem, elem_bytes, &n_bytes) || !size_add(n_bytes, ARENA_ALIGN - 1, &n_bytes) ||
        !size_add(arena->used, n_bytes & ~(size_t)(ARENA_ALIGN - 1), &end)) {
        arena->used = SIZE_MAX;
        return NULL;
    }
    void *p = arena->base ? arena->base + arena->used : NULL;
    arena->used = end;
    return p;
}

#if defined(__linux__)

/* Fresh pages are zero, and cost nothing before they are used. A mapping of a huge page more holds
 * an aligned one; what is outside goes back. */
static unsigned char *block_create(size_t n_bytes)
{
    size_t all;
    if (!size_add(n_bytes, HUGE_PAGE, &all)) {
        return NULL;
    }
    unsigned char *p = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        return NULL;
    }
    const size_t before = (HUGE_PAGE - (uintptr_t)p % HUGE_PAGE) % HUGE_PAGE;
    if (before > 0) {
        munmap(p, before);
    }
    munmap(p + before + n_bytes, HUGE_PAGE - before);
    madvise(p + before, n_bytes, MADV_HUGEPAGE); /* advice: without it only slower */
    return p + before;
}

static void block_free(unsigned char *p, size_t n_bytes)
{
    if (p) {
        munmap(p, n_bytes);
    }
}

#else

static unsigned char *block_create(size_t n_bytes)
{
    void *p = NULL;
    if (posix_memalign(&p, HUGE_PAGE, n_bytes) != 0) {
        return NULL;
    }
    return memset(p, 0, n_bytes);
}

static void block_free(unsigned char *p, size_t n_bytes)
{
    (void)n_bytes;
    free(p);
}

#endif

gpt2c_status arena_allocate(struct arena *arena, const char *what, gpt2c_error *err)
{
    size_t rounded;
    unsigned char *base = NULL;
    if (size_add(arena->used, HUGE_PAGE, &rounded)) {
        rounded = rounded / HUGE_PAGE * HUGE_PAGE;
        base = block_create(rounded);
    }
    if (!base) {
        return status_fail(err, GPT2C_E_NOMEM, "%s: cannot allocate %zu bytes", what, arena->used);
    }
    *arena = (struct arena){.base = base, .cap = rounded};
    return GPT2C_OK;
}

void arena_free(struct arena *arena)
{
    block_free(arena->base, arena->cap);
    *arena = (struct arena){0};
}
