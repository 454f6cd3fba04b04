/* The fixed positional encoding of "Attention Is All You Need". */
#ifndef SINUSOID_H
#define SINUSOID_H

#include <stddef.h>

/* Entry (pos, dim) of the encoding of width n_dim: sin(pos * f) for even dim, cos(pos * f) for odd,
 * f = 10000^-(2i/n_dim) with i = dim/2 rounded down. */
double sinusoid(size_t pos, size_t dim, size_t n_dim);
/* The variant of some notebooks, f = 10000^-(4i/n_dim): they write 2i where i is even already. */
double sinusoid_doubled(size_t pos, size_t dim, size_t n_dim);

#endif
