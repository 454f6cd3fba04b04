/* The kernel table: what a tier of kernels offers. Kernels know no threads, no model and do not
 * allocate; ops.c cuts the work and hands each call a slice.
 *
 * ref.c defines every kernel in plain C; the other tiers compute the same within the tolerance that
 * tests/kernels/checkkern states for it.
 */
#ifndef KERNELS_H
#define KERNELS_H

#include "gpt2c/gpt2c.h"

/* ---- matrices -------------------------------------------------------------------------------- */

enum weight_type { /* how the elements of a matrix stand in memory */
    W_F32,
    W_BF16,
    W_F16,
    W_I8, /* panels, see struct matrix */
    N_WEIGHT_TYPES
};

#define I8_GROUP 128 /* n_in elements that share a scale */
#define I8_PANEL 16  /* columns side by side             */

/* y = x · W + bias, x [m][n_in], y [m][n_out].
 * Float types stand as the checkpoint has them, at any alignment: out_major false: [n_in][n_out]
 * (Conv1D, all c_*), true: [n_out][n_in] (wte, lm_head).
 * W_I8: element (k, j) is (u - 128) * scale, u the unsigned byte at
 *   w[((j / 16) * n_quad + k / 4) * 64 + (j % 16) * 4 + k % 4],  n_quad = ceil(n_in / 4),
 * and scale[((j / 16) * n_group + k / 128) * 16 + j % 16], n_group = ceil(n_in / 128): 64 bytes
 * hold 16 columns by 4 terms, what VPDPBUSD takes. Rows and columns past the end hold u = 128. */
struct matrix {
    const void *w;
    const float *scale; /* W_I8 only */
    const float *bias;  /* [n_out] or NULL */
    int32_t n_in, n_out;
    enum weight_type type;
    bool out_major;
};

static inline float bf16_to_f32(uint16_t h)
{
    const union { uint32_t u; float f; } v = {(uint32_t)h << 16};
    return v.f;
}

/* Round to nearest even; NaN stays NaN. */
static inline uint16_t f32_to_bf16(float f)
{
    const union { float f; uint32_t u; } v = {f};
    if ((v.u & 0x7fffffffu) > 0x7f800000u) {
        return (uint16_t)((v.u >> 16) | 0x40u);
    }
    return (uint16_t)((v.u + 0x7fffu + ((v.u >> 16) & 1u)) >> 16);
}

float f16_to_f32(uint16_t h); /* ref.c; exact */

/* ---- linear ---------------------------------------------------------------------------------- */

/* Rows up to this many are "decode class": each row's result is bitwise what it is alone. */
#define FEW_ROWS 32

/* Partial sums over TERM_BLOCK terms each: [ceil(n_in / TERM_BLOCK)][m][n_out rounded up to 16]. */
#define TERM_BLOCK 128

static inline size_t linear_sums(const struct matrix *w, int32_t m) /* floats */
{
    const size_t n_block = ((size_t)w->n_in + TERM_BLOCK - 1) / TERM_BLOCK;
    return n_block * (size_t)m * (((size_t)w->n_out + 15) / 16 * 16);
}

struct linear_args {
    float *y; /* [m][ldy] */
    size_t ldy;
    const float *x; /* [m][ldx] */
    size_t ldx;
    const void *xp; /* what prepare made of x; NULL when there is no prepare            */
    float *sums;    /* what run_terms makes and run adds; NULL when there is no run_terms */
    const struct matrix *w;
    int32_t m;
    bool add; /* y += instead of y = (the residual stream) */
};

/* One way to compute a linear layer. Results of a column do not depend on j0, j1, and of a row (in
 * kernels that are picked for m <= FEW_ROWS) not on m. The sum and the bias are added first, then
 * the result to y (add). */
struct linear_kernel {
    const char *name;
    int32_t col_grain; /* j0 is a multiple of it; j1 too, or n_out */
    int32_t row_grain; /* likewise r0, r1 of prepare, with m       */
    /* Bytes of prepared activations for m rows of n_in; NULL: x is read as it is. */
    size_t (*x_bytes)(int32_t m, int32_t n_in);
    /* Prepares rows r0 … r1-1 of a->x into xp (a->xp is not read); called for disjoint ranges that
     * cover all rows. */
    void (*prepare)(void *xp, const struct linear_args *a, int32_t r0, int32_t r1);
    /* Bytes of scratch that one call of run needs; NULL: none. */
    size_t (*scratch_bytes)(int32_t n_in);
    /* For weights that are best read along whole rows: the partial sums of blocks b0 … b1-1,
     * columns j0 … j1-1 (cut like those of run, and the wider the better), into a->sums; called
     * for disjoint pieces that cover all, before any run. NULL: run does it all. */
    void (*run_terms)(const struct linear_args *a, int32_t b0, int32_t b1, int32_t j0, int32_t j1);
    /* Columns j0 … j1-1 of all m rows. scratch is 64-byte aligned. */
    void (*run)(const struct linear_args *a, int32_t j0, int32_t j1, void *scratch);
};

/* ---- table ----------------------------------------------------------------------------------- */

#define KV_BLOCK 16 /* positions side by side in the key cache */

struct kernels {
    const char *name;
    gpt2c_cpu tier;

    /* The kernel for m rows of a matrix of this type and order under this dtype; never NULL. */
    const struct linear_kernel *(*linear)(gpt2c_dtype dtype, enum weight_type type, bool out_major,
                                          int32_t m);

    /* y = (x - mean) / sqrt(var + eps) * w + b over n elements, var the mean square deviation.
     * Returns false when mean or var is not finite. */
    bool (*layer_norm)(float *y, const float *x, const float *w, const float *b, int32_t n,
                       float eps);

    /* x = 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), in place, n elements. */
    void (*gelu)(float *x, int32_t n);

    /* x = exp(x - max) / sum, in place, over n >= 1 elements, none NaN or +infinity. */
    void (*softmax)(float *x, int32_t n);

    /* Attention: a row's scores and mix do not depend on m, nor a score on n_kv.
     *
     * Scores of m rows of one head against the key cache:
     *   s[r][iv] = scale * sum_d q[r][d] k(iv, d),  iv = 0 … n_kv-1.
     * Keys stand in blocks of 16 positions: k(iv, d) = k[((iv / 16) * d_head + d) * 16 + iv % 16];
     * a started block may be read whole. s has room for n_kv rounded up to 16 in each row. */
    void (*scores)(float *s, size_t lds, const float *q, size_t ldq, const float *k, int32_t m,
                   int32_t n_kv, int32_t d_head, float scale);

    /* Weighted sum of values: y[r][d] = sum_iv s[r][iv] v[iv][d], iv = 0 … n_kv-1,
     * v [n_kv][d_head].
     * Terms with s = 0 past a row's own position change no bit of the sum, so that rows of
     * different lengths may share a call. */
    void (*mix)(float *y, size_t ldy, const float *s, size_t lds, const float *v, int32_t m,
                int32_t n_kv, int32_t d_head);
};

extern const struct kernels kernels_ref;
extern const struct kernels kernels_avx2;   /* AVX2, FMA, F16C         */
extern const struct kernels kernels_avx512; /* F, BW, DQ, VL           */
extern const struct kernels kernels_amx;    /* avx512 and TILE, BF16   */

/* The highest tier that is built, that the machine has, and that is not above max. */
const struct kernels *kernels_select(gpt2c_cpu max);

#endif
