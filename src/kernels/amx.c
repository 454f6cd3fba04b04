/* The AMX tier: many rows by tiles of bfloat16; everything else is the AVX-512 tier's.
 *
 * A tile product (TDPBF16PS) does 16 x 16 x 32 terms in 16 cycles, some 20 times the rate of
 * float32 FMA, but on 8 bits of mantissa. A float32 is the sum of three bfloat16 parts, high,
 * middle, low of 8 bits each, so float32 prefill takes the products of parts down to 2^-16:
 *   hh, hm, mh, hl, lh, mm   (ml, lm and ll are below 2^-24 of hh)
 * which measures as exact as a float32 engine; leaving out any of the six does not. bf16x3 takes
 * two parts and hh, hl, lh (2^-16); bf16 and int8 take hh. A bfloat16 weight is its own high part
 * and the products with its others fall away.
 *
 * Loads are the bottleneck, not products. A block is 2 x 2 tiles (32 rows by 32 columns), four
 * accumulators, two tiles of A and two of B; consecutive products of parts share one side, so that
 * six products (24 tile products) take 14 tile loads. A stretch of a block of rows stays in L1
 * while up to COLS_IN_L2 columns pass it, so that the activations, too many for L2, come from L3
 * that much more seldom; between stretches the sums wait in L2.
 *
 * Panels are made per call from the weights where they stand; the activations are made tiles once.
 */
#include "kernels/vec_avx512.h"

#include "kernels/vec_weights.h"

#include "kernels/vec_attention.h"
#include "kernels/vec_math.h"

enum {
    TILE = 1024,               /* bytes: 16 rows of 64                                          */
    K_STEP = 32,               /* terms of a tile: 32 columns of A, 16 rows of pairs of B       */
    BLOCK = 32,                /* rows and columns of a 2 x 2 block                             */
    A_IN_L1 = 24 * 1024,       /* bytes of a block of rows that stay in L1                      */
    COLS_IN_L2 = 128,          /* columns whose panels are in L2 …                              */
    STEPS_IN_L2 = 24,          /* … for so many steps,                                          */
    ROWS_IN_L2 = 512,          /* and rows whose sums wait there                                */
};

/* What a kernel multiplies: parts of the activations and of the weights, 1 to 3. Products of parts
 * i and j (0 is high) are taken where i + j < the larger number. */
struct split {
    int32_t n_a, n_b;
};

static int32_t steps(int32_t n_in)
{
    return (n_in + K_STEP - 1) / K_STEP;
}

/* ---- splitting ------------------------------------------------------------------------------- */

/* x as n_part floats that are bfloat16 numbers, each the rounding of what the ones before it leave.
 * A NaN is made the usual one first: rounding could carry others out of their exponent. */
INLINE void split_vector(__m512i part[3], vf x, int32_t n_part)
{
    const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    x = _mm512_mask_mov_ps(x, nan, _mm512_castsi512_ps(_mm512_set1_epi32(0x7fc00000)));
    for (int32_t i = 0; i < n_part; i++) {
        const __m512i u = _mm512_castps_si512(x);
        const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
        const __m512i up = _mm512_add_epi32(_mm512_set1_epi32(0x7fff), odd);
        part[i] = _mm512_and_si512(_mm512_add_epi32(u, up), _mm512_set1_epi32((int)0xffff0000u));
        x = _mm512_sub_ps(x, _mm512_castsi512_ps(part[i]));
    }
}

/* 32 consecutive terms of a row: n_part rows of 64 bytes, TILE * 2 apart. */
INLINE void split_row(uint8_t *out, vf x0, vf x1, int32_t n_part)
{
    __m512i p0[3];
    __m512i p1[3];
    split_vector(p0, x0, n_part);
    split_vector(p1, x1, n_part);
    for (int32_t i = 0; i < n_part; i++) {
        const __m256i lo = _mm512_cvtepi32_epi16(_mm512_srli_epi32(p0[i], 16));
        const __m256i hi = _mm512_cvtepi32_epi16(_mm512_srli_epi32(p1[i], 16));
        _mm512_storeu_si512(out + (size_t)i * 2 * TILE,
                            _mm512_inserti64x4(_mm512_castsi256_si512(lo), hi, 1));
    }
}

/* Terms k and k+1 of 16 columns as pairs. */
INLINE void split_pair(uint8_t *out, vf x0, vf x1, int32_t n_part)
{
    __m512i p0[3];
    __m512i p1[3];
    split_vector(p0, x0, n_part);
    split_vector(p1, x1, n_part);
    for (int32_t i = 0; i < n_part; i++) {
        const __m512i pair =
            _mm512_mask_blend_epi16(0xaaaaaaaau, _mm512_srli_epi32(p0[i], 16), p1[i]);
        _mm512_storeu_si512(out + (size_t)i * 2 * TILE, pair);
    }
}

/* ---- activations: xp[block of rows][step][part][2][TILE] ------------------------------------- */

static size_t x_bytes(int32_t m, int32_t n_in, int32_t n_part)
{
    return (size_t)((m + BLOCK - 1) / BLOCK) * (size_t)steps(n_in) * (size_t)n_part * 2 * TILE;
}

INLINE void prepare(void *xp, const struct linear_args *a, int32_t r0, int32_t r1, int32_t n_part)
{
    const int32_t n_in = a->w->n_in;
    const size_t step_bytes = (size_t)n_part * 2 * TILE;
    const size_t block_bytes = (size_t)steps(n_in) * step_bytes;
    const int32_t r_end = (r1 + BLOCK - 1) / BLOCK * BLOCK;
    for (int32_t r = r0; r < r_end; r++) {
        const float *const x = a->x + (size_t)r * a->ldx;
        uint8_t *const out = (uint8_t *)xp + (size_t)(r / BLOCK) * block_bytes +
                             (size_t)(r % BLOCK) * 64;
        for (int32_t k = 0; k < n_in; k += K_STEP) {
            const int32_t n = r < r1 ? n_in - k : 0;
            const vf x0 = n > 0 ? vf_load_n(x + k, least(16, n)) : vf_zero();
            const vf x1 = n > 16 ? vf_load_n(x + k + 16, least(16, n - 16)) : vf_zero();
            split_row(out + (size_t)(k / K_STEP) * step_bytes, x0, x1, n_part);
        }
    }
}

/* ---- weights: panel[step][part][2][TILE], steps s0 … s1-1 ------------------------------------ */

/* Term k of columns j … j+15, of which n exist. */
INLINE vf load_term(const struct matrix *w, int32_t k, int32_t j, int32_t n, enum weight_type type)
{
    if (k >= w->n_in || n <= 0) {
        return vf_zero();
    }
    if (type == W_I8) {
        const size_t n_quad = (size_t)(w->n_in + 3) / 4;
        const size_t n_group = (size_t)(w->n_in + I8_GROUP - 1) / I8_GROUP;
        const size_t panel = (size_t)(j / I8_PANEL);
        const uint8_t *const quad =
            (const uint8_t *)w->w + (panel * n_quad + (size_t)(k / 4)) * 64;
        const float *const scale = w->scale + (panel * n_group + (size_t)(k / I8_GROUP)) * I8_PANEL;
        return vf_mul(vf_load_i8(quad, k % 4), vf_load(scale));
    }
    const size_t at = (size_t)k * (size_t)w->n_out + (size_t)j;
    return load_weights_n((const uint8_t *)w->w + at * weight_bytes(type), least(16, n), type);
}

INLINE void pack_terms(uint8_t *panel, const struct matrix *w, int32_t s0, int32_t s1, int32_t j,
                       int32_t n, int32_t n_part, enum weight_type type)
{
    const size_t step_bytes = (size_t)n_part * 2 * TILE;
    for (int32_t k = s0 * K_STEP; k < s1 * K_STEP; k += 2) {
        uint8_t *const out = panel + (size_t)(k / K_STEP - s0) * step_bytes +
                             (size_t)(k % K_STEP / 2) * 64;
        for (int32_t v = 0; v < 2; v++) {
            split_pair(out + v * TILE, load_term(w, k, j + 16 * v, n - 16 * v, type),
                       load_term(w, k + 1, j + 16 * v, n - 16 * v, type), n_part);
        }
    }
}

/* A tile of 16 rows of 16 pairs, rows and columns swapped: exchange blocks of 8, 4, 2 and 1. */
static void transpose_tile(uint8_t *tile)
{
    __m512i row[16];
    __m512i to[16];
    for (int32_t i = 0; i < 16; i++) {
        row[i] = _mm512_loadu_si512(tile + 64 * i);
    }
    for (int32_t i = 0; i < 16; i += 2) {
        to[i] = _mm512_unpacklo_epi32(row[i], row[i + 1]);
        to[i + 1] = _mm512_unpackhi_epi32(row[i], row[i + 1]);
    }
    for (int32_t i = 0; i < 16; i += 4) { /* row[i + c]: columns c, c + 4, c + 8, c + 12 */
        row[i] = _mm512_unpacklo_epi64(to[i], to[i + 2]);
        row[i + 1] = _mm512_unpackhi_epi64(to[i], to[i + 2]);
        row[i + 2] = _mm512_unpacklo_epi64(to[i + 1], to[i + 3]);
        row[i + 3] = _mm512_unpackhi_epi64(to[i + 1], to[i + 3]);
    }
    for (int32_t c = 0; c < 4; c++) {
        const __m512i even0 = _mm512_shuffle_i32x4(row[c], row[c + 4], 0x88);
        const __m512i odd0 = _mm512_shuffle_i32x4(row[c], row[c + 4], 0xdd);
        const __m512i even1 = _mm512_shuffle_i32x4(row[c + 8], row[c + 12], 0x88);
        const __m512i odd1 = _mm512_shuffle_i32x4(row[c + 8], row[c + 12], 0xdd);
        to[c] = _mm512_shuffle_i32x4(even0, even1, 0x88);
        to[c + 8] = _mm512_shuffle_i32x4(even0, even1, 0xdd);
        to[c + 4] = _mm512_shuffle_i32x4(odd0, odd1, 0x88);
        to[c + 12] = _mm512_shuffle_i32x4(odd0, odd1, 0xdd);
    }
    for (int32_t i = 0; i < 16; i++) {
        _mm512_storeu_si512(tile + 64 * i, to[i]);
    }
}

INLINE void pack_columns(uint8_t *panel, const struct matrix *w, int32_t s0, int32_t s1, int32_t j,
                         int32_t n, int32_t n_part, enum weight_type type)
{
    const size_t es = weight_bytes(type);
    const size_t step_bytes = (size_t)n_part * 2 * TILE;
    for (int32_t is = s0; is < s1; is++) {
        uint8_t *const step = panel + (size_t)(is - s0) * step_bytes;
        const int32_t k = is * K_STEP;
        const int32_t nk = w->n_in - k;
        for (int32_t c = 0; c < BLOCK; c++) {
            const size_t at = (size_t)(j + c) * (size_t)w->n_in + (size_t)k;
            const uint8_t *const p = (const uint8_t *)w->w + at * es;
            const vf x0 = c < n ? load_weights_n(p, least(16, nk), type) : vf_zero();
            const vf x1 = c < n && nk > 16 ? load_weights_n(p + 16 * es, least(16, nk - 16), type)
                                           : vf_zero();
            split_row(step + (size_t)c * 64, x0, x1, n_part);
        }
        for (int32_t i = 0; i < 2 * n_part; i++) {
            transpose_tile(step + i * TILE);
        }
    }
}

/* ---- tiles ----------------------------------------------------------------------------------- */

struct tile_config {
    uint8_t palette, start_row;
    uint8_t reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

/* Tiles 0 to 3 are sums, 4 and 5 A, 6 and 7 B, all 16 rows of 64 bytes. */
static void configure_tiles(void)
{
    struct tile_config c = {.palette = 1};
    for (int32_t i = 0; i < 8; i++) {
        c.row_bytes[i] = 64;
        c.rows[i] = 16;
    }
    __asm__ volatile("" : : "m"(c)); /* GCC 12 believes that only 8 bytes of c are read */
    _tile_loadconfig(&c);
}

INLINE void load_a(const uint8_t *p)
{
    _tile_loadd(4, p, 64);
    _tile_loadd(5, p + TILE, 64);
}

INLINE void load_b(const uint8_t *p)
{
    _tile_loadd(6, p, 64);
    _tile_loadd(7, p + TILE, 64);
}

INLINE void multiply(void)
{
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
}

/* One step of a block: each line loads one side for the product it ends with. */
INLINE void multiply_step(const uint8_t *a, const uint8_t *b, struct split s)
{
    enum { H = 0, M = 2 * TILE, L = 4 * TILE };
    load_b(b + H);
    if (s.n_a == 3) {
        load_a(a + L), multiply();
    }
    if (s.n_a >= 2) {
        load_a(a + M), multiply();
    }
    if (s.n_a == 3 && s.n_b >= 2) {
        load_b(b + M), multiply();
        load_a(a + H), multiply();
        load_b(b + H), multiply();
    } else {
        load_a(a + H), multiply();
        if (s.n_b == 2) {
            load_b(b + M), multiply();
        }
    }
    if (s.n_b == 3) {
        load_b(b + L), multiply();
    }
}

INLINE void load_sums(const float *sums)
{
    _tile_loadd(0, sums, 64);
    _tile_loadd(1, sums + 256, 64);
    _tile_loadd(2, sums + 512, 64);
    _tile_loadd(3, sums + 768, 64);
}

INLINE void store_sums(float *sums)
{
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + 256, 64);
    _tile_stored(2, sums + 512, 64);
    _tile_stored(3, sums + 768, 64);
}

static void zero_sums(void)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

static void put_block(const struct linear_args *a, int32_t r0, int32_t j, int32_t n,
                      const float *sums)
{
    for (int32_t r = 0; r < least(BLOCK, a->m - r0); r++) {
        for (int32_t v = 0; 16 * v < n; v++) {
            const float *const s = sums + (r / 16 * 2 + v) * 256 + r % 16 * 16;
            put(a, r0 + r, j + 16 * v, least(16, n - 16 * v), vf_load(s));
        }
    }
}

/* ---- the product ----------------------------------------------------------------------------- */

/* Rows r0 … r1-1 by the columns j … j+n-1. sums[block of rows][block of columns][4][16][16]. */
struct piece {
    const struct linear_args *a;
    uint8_t *panels; /* [block of columns][STEPS_IN_L2] steps */
    float *sums;
    int32_t r0, r1, j, n;
    struct split split;
};

static size_t panel_bytes(int32_t n_part)
{
    return (size_t)STEPS_IN_L2 * (size_t)n_part * 2 * TILE;
}

INLINE void pack(const struct piece *p, int32_t s0, int32_t s1, enum weight_type type)
{
    const struct matrix *const w = p->a->w;
    const int32_t n_part = p->split.n_b;
    for (int32_t c = 0; c < p->n; c += BLOCK) {
        uint8_t *const panel = p->panels + (size_t)(c / BLOCK) * panel_bytes(n_part);
        if (w->out_major && type != W_I8) {
            pack_columns(panel, w, s0, s1, p->j + c, p->n - c, n_part, type);
        } else {
            pack_terms(panel, w, s0, s1, p->j + c, p->n - c, n_part, type);
        }
    }
}

/* Steps s0 … s1-1 of one block; the panel begins with s0. */
INLINE void multiply_block(float *sums, const uint8_t *a, const uint8_t *panel, int32_t s0,
                           int32_t s1, struct split split)
{
    if (s0 == 0) {
        zero_sums();
    } else {
        load_sums(sums);
    }
    for (int32_t is = s0; is < s1; is++) {
        multiply_step(a + (size_t)is * (size_t)split.n_a * 2 * TILE,
                      panel + (size_t)(is - s0) * (size_t)split.n_b * 2 * TILE, split);
    }
    store_sums(sums);
}

INLINE void run_piece(const struct piece *p, enum weight_type type)
{
    const struct split split = p->split;
    const int32_t n_step = steps(p->a->w->n_in);
    const size_t block_bytes = (size_t)n_step * (size_t)split.n_a * 2 * TILE;
    const int32_t stretch = A_IN_L1 / (split.n_a * 2 * TILE);
    for (int32_t s0 = 0; s0 < n_step; s0 += STEPS_IN_L2) {
        const int32_t s1 = least(s0 + STEPS_IN_L2, n_step);
        pack(p, s0, s1, type);
        for (int32_t is = s0; is < s1; is += stretch) {
            const size_t at = (size_t)(is - s0) * (size_t)split.n_b * 2 * TILE;
            for (int32_t r = p->r0; r < p->r1; r += BLOCK) {
                const uint8_t *const a =
                    (const uint8_t *)p->a->xp + (size_t)(r / BLOCK) * block_bytes;
                float *const sums = p->sums + (size_t)(r - p->r0) * COLS_IN_L2;
                for (int32_t c = 0; c < p->n; c += BLOCK) {
                    multiply_block(sums + c * BLOCK, a,
                                   p->panels + (size_t)(c / BLOCK) * panel_bytes(split.n_b) + at,
                                   is, least(is + stretch, s1), split);
                }
            }
        }
    }
    for (int32_t r = p->r0; r < p->r1; r += BLOCK) {
        for (int32_t c = 0; c < p->n; c += BLOCK) {
            put_block(p->a, r, p->j + c, least(BLOCK, p->n - c),
                      p->sums + (size_t)(r - p->r0) * COLS_IN_L2 + c * BLOCK);
        }
    }
}

INLINE void run(const struct linear_args *a, int32_t j0, int32_t j1, void *scratch,
                struct split split, enum weight_type type)
{
    float *const sums = scratch;
    uint8_t *const panels = (uint8_t *)(sums + ROWS_IN_L2 * COLS_IN_L2);
    const int32_t n_piece = (j1 - j0 + COLS_IN_L2 - 1) / COLS_IN_L2;
    const int32_t nc = ((j1 - j0 + n_piece - 1) / n_piece + BLOCK - 1) / BLOCK * BLOCK;
    configure_tiles();
    for (int32_t j = j0; j < j1; j += nc) {
        for (int32_t r = 0; r < a->m; r += ROWS_IN_L2) {
            const struct piece p = {.a = a, .panels = panels, .sums = sums, .r0 = r,
                                    .r1 = least(r + ROWS_IN_L2, a->m), .j = j,
                                    .n = least(nc, j1 - j), .split = split};
            run_piece(&p, type);
        }
    }
    _tile_release();
}

/* ---- kernels --------------------------------------------------------------------------------- */

#define X_PARTS(n) \
    static size_t x_bytes_##n(int32_t m, int32_t n_in) \
    { \
        return x_bytes(m, n_in, n); \
    } \
    static void prepare_##n(void *xp, const struct linear_args *a, int32_t r0, int32_t r1) \
    { \
        prepare(xp, a, r0, r1, n); \
    } \
    static size_t scratch_bytes_##n(int32_t n_in) \
    { \
        (void)n_in; \
        return ROWS_IN_L2 * COLS_IN_L2 * sizeof(float) + COLS_IN_L2 / BLOCK * panel_bytes(n); \
    }

X_PARTS(1)
X_PARTS(2)
X_PARTS(3)

#define RUN(n_a, n_b, type) \
    static void run_##n_a##n_b##_##type(const struct linear_args *a, int32_t j0, int32_t j1, \
                                        void *scratch) \
    { \
        run(a, j0, j1, scratch, (struct split){n_a, n_b}, type); \
    }

RUN(3, 3, W_F32)
RUN(3, 2, W_F16)
RUN(3, 1, W_BF16)
RUN(2, 2, W_F32)
RUN(2, 2, W_F16)
RUN(2, 1, W_BF16)
RUN(1, 1, W_F32)
RUN(1, 1, W_F16)
RUN(1, 1, W_BF16)
RUN(1, 1, W_I8)

#define KERNEL(n_a, n_b, type) \
    {.name = "amx_" #n_a #n_b, .col_grain = BLOCK, .row_grain = BLOCK, .x_bytes = x_bytes_##n_a, \
     .prepare = prepare_##n_a, .scratch_bytes = scratch_bytes_##n_b, \
     .run = run_##n_a##n_b##_##type}

/* By parts of the activations, less one. */
static const struct linear_kernel kernels[3][N_WEIGHT_TYPES] = {
    {[W_F32] = KERNEL(1, 1, W_F32), [W_F16] = KERNEL(1, 1, W_F16), [W_BF16] = KERNEL(1, 1, W_BF16),
     [W_I8] = KERNEL(1, 1, W_I8)},
    {[W_F32] = KERNEL(2, 2, W_F32), [W_F16] = KERNEL(2, 2, W_F16), [W_BF16] = KERNEL(2, 1, W_BF16)},
    {[W_F32] = KERNEL(3, 3, W_F32), [W_F16] = KERNEL(3, 2, W_F16), [W_BF16] = KERNEL(3, 1, W_BF16)},
};

static const struct linear_kernel *linear(gpt2c_dtype dtype, enum weight_type type, bool out_major,
                                          int32_t m)
{
    if (m <= FEW_ROWS || (type == W_I8 && dtype != GPT2C_DTYPE_INT8)) {
        return kernels_avx512.linear(dtype, type, out_major, m);
    }
    const int32_t n_a = dtype == GPT2C_DTYPE_F32 ? 3 : dtype == GPT2C_DTYPE_BF16X3 ? 2 : 1;
    return &kernels[n_a - 1][type];
}

const struct kernels kernels_amx = {
    .name = "amx",
    .tier = GPT2C_CPU_AMX,
    .linear = linear,
    .layer_norm = layer_norm,
    .gelu = gelu,
    .softmax = softmax,
    .scores = scores,
    .mix = mix,
};
