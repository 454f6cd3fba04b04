/* Sixteen floats in one AVX-512 register: what the kernels in vec_*.h are written in.
 *
 * vec_avx2.h defines the same names over two AVX registers. Every operation is the same IEEE
 * operation lane by lane and every sum over lanes the same tree, so that both tiers give the same
 * bits. Weights stand at any alignment, hence byte pointers; all loads are unaligned loads.
 */
#ifndef VEC_AVX512_H
#define VEC_AVX512_H

#include <immintrin.h>

#include "kernels/kernels.h"

typedef __m512 vf;

/* Blocking that fits 32 registers; see vec_linear.h. */
enum {
    FEW_K = 8,   /* few rows: weight rows in a stretch     */
    FEW_M = 6,   /* accumulators, rows …                   */
    FEW_V = 4,   /* … by vectors of columns                */
    TILE_M = 12, /* many rows: accumulators, rows …        */
    TILE_V = 2,  /* … by vectors of columns                */
    DOT_J = 4,   /* dot products: weight rows …            */
    DOT_M = 4,   /* … by activation rows                   */
    ATT_M = 6,   /* attention: query rows …                */
    ATT_V = 4,   /* … by vectors of positions or values    */
};

static inline __mmask16 vf_mask(int32_t n)
{
    return (__mmask16)((1u << n) - 1);
}

static inline vf vf_zero(void)
{
    return _mm512_setzero_ps();
}

static inline vf vf_set1(float f)
{
    return _mm512_set1_ps(f);
}

static inline vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

/* The first n of 16 elements, 0 < n <= 16; zeros behind. Nothing past them is read. */
static inline vf vf_load_n(const float *p, int32_t n)
{
    return _mm512_maskz_loadu_ps(vf_mask(n), p);
}

static inline void vf_store(float *p, vf a)
{
    _mm512_storeu_ps(p, a);
}

static inline void vf_store_n(float *p, vf a, int32_t n)
{
    _mm512_mask_storeu_ps(p, vf_mask(n), a);
}

static inline vf vf_load_f32(const uint8_t *p)
{
    return _mm512_loadu_ps(p);
}

static inline vf vf_load_f32_n(const uint8_t *p, int32_t n)
{
    return _mm512_maskz_loadu_ps(vf_mask(n), p);
}

static inline vf vf_widen_bf16(__m256i h)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

static inline vf vf_load_bf16(const uint8_t *p)
{
    return vf_widen_bf16(_mm256_loadu_si256((const __m256i *)p));
}

static inline vf vf_load_bf16_n(const uint8_t *p, int32_t n)
{
    return vf_widen_bf16(_mm256_maskz_loadu_epi16(vf_mask(n), p));
}

static inline vf vf_load_f16(const uint8_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

static inline vf vf_load_f16_n(const uint8_t *p, int32_t n)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(vf_mask(n), p));
}

/* Term i of 4 of 16 columns from a quad of an int8 panel, as u - 128: 2^23 + u is a float whose low
 * bits are u. */
static inline vf vf_load_i8(const uint8_t *quad, int32_t i)
{
    const __m512i all = _mm512_srli_epi32(_mm512_loadu_si512(quad), 8 * (unsigned)i);
    const __m512i byte = _mm512_ternarylogic_epi32(all, _mm512_set1_epi32(0xff),
                                                   _mm512_set1_epi32(0x4b000000), 0xea);
    return _mm512_sub_ps(_mm512_castsi512_ps(byte), _mm512_set1_ps(8388608.0f + 128.0f));
}

static inline vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}

static inline vf vf_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}

static inline vf vf_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}

static inline vf vf_fma(vf a, vf b, vf c) /* a b + c */
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline vf vf_fnma(vf a, vf b, vf c) /* c - a b */
{
    return _mm512_fnmadd_ps(a, b, c);
}

/* max and min give b when one of them is NaN. */
static inline vf vf_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}

static inline vf vf_round(vf a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* a 2^n for whole n, both normal: n is added to the exponent. */
static inline vf vf_scale2(vf a, vf n)
{
    const __m512i e = _mm512_slli_epi32(_mm512_cvtps_epi32(n), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), e));
}

static inline vf vf_if_less(vf a, vf b, vf yes, vf no) /* a < b ? yes : no */
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
}

/* Lanes i and i+8 first, then 4, 2 and 1 apart. */
static inline float vf_sum(vf a)
{
    const __m256 s8 = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}

static inline float vf_max_lane(vf a)
{
    return _mm512_reduce_max_ps(a);
}

#endif
