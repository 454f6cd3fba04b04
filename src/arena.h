/* One aligned block, measured first and carved after by the same layout function. */
#ifndef ARENA_H
#define ARENA_H

#include "gpt2c/gpt2c.h"

#define ARENA_ALIGN 64 /* bytes: a cache line and a 512-bit vector */

struct arena {
    unsigned char *base; /* NULL while measuring */
    size_t used;         /* bytes; SIZE_MAX once a size overflowed */
    size_t cap;
};

/* The next n_elem elements of elem_bytes each, aligned; NULL while measuring. */
void *arena_carve(struct arena *arena, size_t n_elem, size_t elem_bytes);
/* Allocates arena->used bytes, zeroed, on huge pages where the system offers them, and starts
 * carving anew. GPT2C_E_NOMEM also when used is SIZE_MAX. */
gpt2c_status arena_allocate(struct arena *arena, const char *what, gpt2c_error *err);
void arena_free(struct arena *arena);

#endif
