/* The avx2 tier: the kernels of vec_*.h over two AVX registers. */
#include "kernels/vec_avx2.h"
#include "kernels/vec_linear.h"
#include "kernels/vec_attention.h"
#include "kernels/vec_math.h"

static const struct linear_kernel *linear(gpt2c_dtype dtype, enum weight_type type, bool out_major,
                                          int32_t m)
{
    (void)dtype;
    return vec_linear(type, out_major, m);
}

const struct kernels kernels_avx2 = {
    .name = "avx2",
    .tier = GPT2C_CPU_AVX2,
    .linear = linear,
    .layer_norm = layer_norm,
    .gelu = gelu,
    .softmax = softmax,
    .scores = scores,
    .mix = mix,
};
