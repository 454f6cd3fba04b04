/* The avx512 tier: the kernels of vec_*.h over AVX-512 registers. */
#include "cpu.h"
#include "kernels/avx512.h"

#include "kernels/vec_avx512.h"

#include "kernels/vec_attention.h"
#include "kernels/vec_linear.h"
#include "kernels/vec_math.h"

static const struct linear_kernel *linear(gpt2c_dtype dtype, enum weight_type type, bool out_major,
                                          int32_t m)
{
    if (dtype == GPT2C_DTYPE_INT8 && type == W_I8 && cpu_has_vnni()) {
        return &avx512_vnni;
    }
    if (dtype == GPT2C_DTYPE_BF16 && type == W_BF16 && !out_major && m > FEW_ROWS &&
        cpu_has_fast_bf16()) {
        return &avx512_bf16;
    }
    return vec_linear(type, out_major, m);
}

const struct kernels kernels_avx512 = {
    .name = "avx512",
    .tier = GPT2C_CPU_AVX512,
    .linear = linear,
    .layer_norm = layer_norm,
    .gelu = gelu,
    .softmax = softmax,
    .scores = scores,
    .mix = mix,
};
