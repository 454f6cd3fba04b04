/* NumPy's .npy format, version 1.0: little-endian float32, C order, any rank. */
#ifndef NPY_H
#define NPY_H

#include <stddef.h>
#include <stdio.h>

/* The header, to be followed by the data; shape [n_dims], n_dims at most 8. Errors stay in f. */
void npy_write_header(FILE *f, const size_t *shape, size_t n_dims);
/* Header and data. */
void npy_write(FILE *f, const float *data, const size_t *shape, size_t n_dims);

#endif
