/* AMX tiles in plain C, for machines that have none. Included in front of src/kernels/amx.c by the
 * build of the kernel test, where the table becomes kernels_amx_emulated.
 *
 * TDPBF16PS as Intel's manual has it: for each row and column of the result, the even and the odd
 * terms of the 16 pairs are two chains of fused multiply-adds from zero, then their sum is added to
 * the result; round to nearest even, denormal inputs are zero and denormal results become zero,
 * whatever MXCSR says.
 */
#ifndef AMX_EMULATED_H
#define AMX_EMULATED_H

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define kernels_amx kernels_amx_emulated

static struct {
    uint8_t config[64];
    uint8_t tile[8][16][64];
} emulated_amx;

static inline void emulated_config(const void *config)
{
    memcpy(emulated_amx.config, config, sizeof emulated_amx.config);
    memset(emulated_amx.tile, 0, sizeof emulated_amx.tile);
}

static inline void emulated_release(void)
{
    memset(&emulated_amx, 0, sizeof emulated_amx);
}

static inline uint32_t emulated_rows(int tile)
{
    return emulated_amx.config[0] == 1 ? emulated_amx.config[48 + tile] : 0;
}

static inline uint32_t emulated_row_bytes(int tile)
{
    return emulated_amx.config[16 + 2 * tile] | (uint32_t)emulated_amx.config[17 + 2 * tile] << 8;
}

static inline void emulated_zero(int tile)
{
    memset(emulated_amx.tile[tile], 0, sizeof emulated_amx.tile[tile]);
}

static inline void emulated_load(int tile, const void *base, long stride)
{
    emulated_zero(tile);
    for (uint32_t r = 0; r < emulated_rows(tile); r++) {
        memcpy(emulated_amx.tile[tile][r], (const uint8_t *)base + (long)r * stride,
               emulated_row_bytes(tile));
    }
}

static inline void emulated_store(int tile, void *base, long stride)
{
    for (uint32_t r = 0; r < emulated_rows(tile); r++) {
        memcpy((uint8_t *)base + (long)r * stride, emulated_amx.tile[tile][r],
               emulated_row_bytes(tile));
    }
}

static inline float emulated_flush(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    u = (u & 0x7f800000u) == 0 ? u & 0x80000000u : u;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* Number i of a row of bfloat16. */
static inline float emulated_bf16(const uint8_t *row, uint32_t i)
{
    const uint32_t u = (uint32_t)row[2 * i] << 16 | (uint32_t)row[2 * i + 1] << 24;
    float f;
    memcpy(&f, &u, sizeof f);
    return emulated_flush(f);
}

static inline void emulated_dpbf16ps(int c, int a, int b)
{
    float b_even[16][16];
    float b_odd[16][16];
    for (uint32_t k = 0; k < 16; k++) {
        for (uint32_t n = 0; n < 16; n++) {
            b_even[k][n] = emulated_bf16(emulated_amx.tile[b][k], 2 * n);
            b_odd[k][n] = emulated_bf16(emulated_amx.tile[b][k], 2 * n + 1);
        }
    }
    for (uint32_t m = 0; m < emulated_rows(c); m++) {
        float even[16] = {0};
        float odd[16] = {0};
        float sum[16];
        for (uint32_t k = 0; k < emulated_row_bytes(a) / 4; k++) {
            const float a_even = emulated_bf16(emulated_amx.tile[a][m], 2 * k);
            const float a_odd = emulated_bf16(emulated_amx.tile[a][m], 2 * k + 1);
            for (uint32_t n = 0; n < 16; n++) {
                even[n] = emulated_flush(fmaf(a_even, b_even[k][n], even[n]));
                odd[n] = emulated_flush(fmaf(a_odd, b_odd[k][n], odd[n]));
            }
        }
        memcpy(sum, emulated_amx.tile[c][m], sizeof sum);
        for (uint32_t n = 0; n < emulated_row_bytes(c) / 4; n++) {
            sum[n] = emulated_flush(emulated_flush(sum[n]) + emulated_flush(even[n] + odd[n]));
        }
        memcpy(emulated_amx.tile[c][m], sum, sizeof sum);
    }
}

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _tile_loadconfig(config) emulated_config(config)
#define _tile_release() emulated_release()
#define _tile_zero(tile) emulated_zero(tile)
#define _tile_loadd(tile, base, stride) emulated_load(tile, base, stride)
#define _tile_stored(tile, base, stride) emulated_store(tile, base, stride)
#define _tile_dpbf16ps(c, a, b) emulated_dpbf16ps(c, a, b)

#endif
