/* The parts of the AVX-512 tier that need more than its flags; avx512.c picks them at run time. */
#ifndef AVX512_H
#define AVX512_H

#include "kernels/kernels.h"

extern const struct linear_kernel avx512_vnni; /* W_I8, any m; for cpu_has_vnni() */
/* W_BF16 in Conv1D order, m > FEW_ROWS; for cpu_has_fast_bf16() */
extern const struct linear_kernel avx512_bf16;

#endif
