/* A matrix of float32 on the terminal, character for character as NumPy 2.3 and later print the
 * array of shape (1, n_row, n_col): 8 digits, 75 columns, the edges only past 1,000 numbers. */
#ifndef NPVIEW_H
#define NPVIEW_H

#include <stddef.h>
#include <stdio.h>

/* x [n_row][n_col], all finite, both sizes at least 1. */
void npview_print(FILE *f, const float *x, size_t n_row, size_t n_col);

#endif
