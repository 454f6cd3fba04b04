/* Elements of matrices: where they stand, what they are as float32, and their other forms. Plain
 * loops over rows; model_pack.c says who does which. */
#ifndef WEIGHTS_H
#define WEIGHTS_H

#include "kernels/kernels.h"

/* n elements from the first-th on, as float32, into out [n]. Not for W_I8. */
void weights_to_f32(float *out, enum weight_type type, const void *w, size_t first, size_t n);
/* The same as bfloat16, rounded to nearest even. */
void weights_to_bf16(uint16_t *out, enum weight_type type, const void *w, size_t first, size_t n);

/* Rows and columns as they stand in memory: [n_in][n_out], or [n_out][n_in] when out_major. */
int32_t weights_rows(const struct matrix *m);
int32_t weights_cols(const struct matrix *m);
size_t weights_elem_bytes(enum weight_type type); /* not for W_I8 */
/* Bytes of the matrix as it is, scales of W_I8 included. */
size_t weights_bytes(const struct matrix *m);
/* Bytes of its panels and number of its scales as W_I8. */
size_t weights_i8_bytes(const struct matrix *m);
size_t weights_i8_scales(const struct matrix *m);

#define WEIGHTS_ROW_GRAIN I8_GROUP

/* Stored rows r0 … r1-1 of src (a float type; r0 a multiple of WEIGHTS_ROW_GRAIN, r1 too or the
 * end) into the panels w and scale of struct matrix. Groups of 128 terms of a column share scale =
 * max|x| / 127,  u = 128 + round(x * (127 / max|x|)), ties to even: 1 … 255. The padding up to
 * whole quads is written, too. false: a value is NaN or infinite. */
bool weights_quantize(unsigned char *w, float *scale, const struct matrix *src, int32_t r0,
                      int32_t r1);

#endif
