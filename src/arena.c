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

gpt2c_status arena_allocate(struct arena *arena, const char *what, gpt2c_error *err)
{
    const size_t n_bytes = arena->used;
    const size_t align = n_bytes >= HUGE_PAGE ? HUGE_PAGE : ARENA_ALIGN;
    size_t rounded;
    void *base = NULL;
    if (!size_add(n_bytes, align - 1, &rounded) ||
        posix_memalign(&base, align, rounded & ~(align - 1)) != 0) {
        return status_fail(err, GPT2C_E_NOMEM, "%s: cannot allocate %zu bytes", what, n_bytes);
    }
    rounded &= ~(align - 1);
#if defined(__linux__)
    if (align == HUGE_PAGE) {
        madvise(base, rounded, MADV_HUGEPAGE); /* advice: without it only slower */
    }
#endif
    memset(base, 0, rounded);
    *arena = (struct arena){.base = base, .cap = rounded};
    return GPT2C_OK;
}

void arena_free(struct arena *arena)
{
    free(arena->base);
    *arena = (struct arena){0};
}
