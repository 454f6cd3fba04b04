/* Reading weights of any type as float32, and the end of a sum, for any tier with a `vf`. */
#ifndef VEC_WEIGHTS_H
#define VEC_WEIGHTS_H

/* Kernels are written once with the weight type and the sizes of a tile as arguments, and become
 * one loop for each set of constants they are called with. */
#define INLINE static inline __attribute__((always_inline))

/* In front of a loop over registers. GCC unrolls it without being told, but too late to keep the
 * array that it runs over out of memory. */
#define UNROLL _Pragma("GCC unroll 16")

INLINE int32_t least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* ---- weights --------------------------------------------------------------------------------- */

INLINE size_t weight_bytes(enum weight_type type)
{
    return type == W_F32 ? 4 : 2;
}

INLINE vf load_weights(const uint8_t *p, enum weight_type type)
{
    return type == W_F32 ? vf_load_f32(p) : type == W_BF16 ? vf_load_bf16(p) : vf_load_f16(p);
}

INLINE vf load_weights_n(const uint8_t *p, int32_t n, enum weight_type type)
{
    if (n == 16) {
        return load_weights(p, type);
    }
    return type == W_F32    ? vf_load_f32_n(p, n)
           : type == W_BF16 ? vf_load_bf16_n(p, n)
                            : vf_load_f16_n(p, n);
}

/* ---- the end of a sum ------------------------------------------------------------------------ */

/* y[j … j+n-1] of row r from finished sums. */
INLINE void put(const struct linear_args *a, int32_t r, int32_t j, int32_t n, vf sum)
{
    float *const y = a->y + (size_t)r * a->ldy + j;
    if (a->w->bias) {
        sum = vf_add(sum, vf_load_n(a->w->bias + j, n));
    }
    if (a->add) {
        sum = vf_add(vf_load_n(y, n), sum);
    }
    vf_store_n(y, sum, n);
}

#endif
