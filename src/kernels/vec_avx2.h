/* Sixteen floats in two AVX registers; the names and the meaning are those of vec_avx512.h. */
#ifndef VEC_AVX2_H
#define VEC_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "kernels/kernels.h"

typedef struct vf {
    __m256 lo, hi;
} vf;

/* Blocking that fits 16 registers; see vec_linear.h. */
enum {
    FEW_K = 8,
    FEW_M = 2,
    FEW_V = 2,
    TILE_M = 6,
    TILE_V = 1,
    DOT_J = 2,
    DOT_M = 3,
    ATT_M = 3,
    ATT_V = 2,
};

static inline vf vf_zero(void)
{
    return (vf){_mm256_setzero_ps(), _mm256_setzero_ps()};
}

static inline vf vf_set1(float f)
{
    return (vf){_mm256_set1_ps(f), _mm256_set1_ps(f)};
}

static inline vf vf_load(const float *p)
{
    return (vf){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}

static inline __m256i vf_mask(int32_t n) /* lanes 0 … n-1, any n */
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline vf vf_load_n(const float *p, int32_t n)
{
    return (vf){_mm256_maskload_ps(p, vf_mask(n)), _mm256_maskload_ps(p + 8, vf_mask(n - 8))};
}

static inline void vf_store(float *p, vf a)
{
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
}

static inline void vf_store_n(float *p, vf a, int32_t n)
{
    _mm256_maskstore_ps(p, vf_mask(n), a.lo);
    _mm256_maskstore_ps(p + 8, vf_mask(n - 8), a.hi);
}

static inline vf vf_load_f32(const uint8_t *p)
{
    const __m256i *const q = (const __m256i *)p;
    return (vf){_mm256_castsi256_ps(_mm256_loadu_si256(q)),
                _mm256_castsi256_ps(_mm256_loadu_si256(q + 1))};
}

static inline vf vf_load_f32_n(const uint8_t *p, int32_t n)
{
    uint8_t buf[64] = {0};
    memcpy(buf, p, (size_t)n * 4);
    return vf_load_f32(buf);
}

static inline vf vf_load_bf16(const uint8_t *p)
{
    const __m128i *const q = (const __m128i *)p;
    return (vf){
        _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(q)), 16)),
        _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(q + 1)), 16))};
}

static inline vf vf_load_bf16_n(const uint8_t *p, int32_t n)
{
    uint8_t buf[32] = {0};
    memcpy(buf, p, (size_t)n * 2);
    return vf_load_bf16(buf);
}

static inline vf vf_load_f16(const uint8_t *p)
{
    const __m128i *const q = (const __m128i *)p;
    return (vf){_mm256_cvtph_ps(_mm_loadu_si128(q)), _mm256_cvtph_ps(_mm_loadu_si128(q + 1))};
}

static inline vf vf_load_f16_n(const uint8_t *p, int32_t n)
{
    uint8_t buf[32] = {0};
    memcpy(buf, p, (size_t)n * 2);
    return vf_load_f16(buf);
}

static inline __m256 vf_i8_half(__m256i quads, int32_t i)
{
    const __m256i byte = _mm256_and_si256(_mm256_srli_epi32(quads, 8 * i), _mm256_set1_epi32(0xff));
    const __m256i magic = _mm256_or_si256(byte, _mm256_set1_epi32(0x4b000000));
    return _mm256_sub_ps(_mm256_castsi256_ps(magic), _mm256_set1_ps(8388608.0f + 128.0f));
}

static inline vf vf_load_i8(const uint8_t *quad, int32_t i)
{
    const __m256i *const q = (const __m256i *)quad;
    return (vf){vf_i8_half(_mm256_loadu_si256(q), i), vf_i8_half(_mm256_loadu_si256(q + 1), i)};
}

static inline vf vf_add(vf a, vf b)
{
    return (vf){_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}

static inline vf vf_sub(vf a, vf b)
{
    return (vf){_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}

static inline vf vf_mul(vf a, vf b)
{
    return (vf){_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}

static inline vf vf_div(vf a, vf b)
{
    return (vf){_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    return (vf){_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}

static inline vf vf_fnma(vf a, vf b, vf c)
{
    return (vf){_mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi)};
}

static inline vf vf_max(vf a, vf b)
{
    return (vf){_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
}

static inline vf vf_round(vf a)
{
    return (vf){_mm256_round_ps(a.lo, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
                _mm256_round_ps(a.hi, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}

static inline __m256 vf_scale2_half(__m256 a, __m256 n)
{
    const __m256i e = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), e));
}

static inline vf vf_scale2(vf a, vf n)
{
    return (vf){vf_scale2_half(a.lo, n.lo), vf_scale2_half(a.hi, n.hi)};
}

static inline vf vf_if_less(vf a, vf b, vf yes, vf no)
{
    return (vf){_mm256_blendv_ps(no.lo, yes.lo, _mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ)),
                _mm256_blendv_ps(no.hi, yes.hi, _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ))};
}

static inline float vf_sum(vf a)
{
    const __m256 s8 = _mm256_add_ps(a.lo, a.hi);
    const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}

static inline float vf_max_lane(vf a)
{
    const __m256 s8 = _mm256_max_ps(a.lo, a.hi);
    const __m128 s4 = _mm_max_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    const __m128 s2 = _mm_max_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_max_ss(s2, _mm_movehdup_ps(s2)));
}

#endif
