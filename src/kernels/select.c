/* Picks the tier of kernels, once per model. */
#include "cpu.h"
#include "kernels/kernels.h"
#include "tiers.h"

static const struct kernels *const tiers[] = {
    [GPT2C_CPU_REF] = &kernels_ref,
#if HAVE_KERN_AVX2
    [GPT2C_CPU_AVX2] = &kernels_avx2,
#endif
#if HAVE_KERN_AVX512
    [GPT2C_CPU_AVX512] = &kernels_avx512,
#endif
#if HAVE_KERN_AMX
    [GPT2C_CPU_AMX] = &kernels_amx,
#endif
};

const struct kernels *kernels_select(gpt2c_cpu max)
{
    gpt2c_cpu tier = cpu_best() < max ? cpu_best() : max;
    while (tier > GPT2C_CPU_REF && ((size_t)tier >= sizeof tiers / sizeof *tiers || !tiers[tier])) {
        tier--;
    }
    return tiers[tier];
}

gpt2c_cpu gpt2c_cpu_best(void)
{
    return kernels_select(GPT2C_CPU_AMX)->tier;
}

const char *gpt2c_cpu_name(gpt2c_cpu tier)
{
    static const char *const names[] = {"ref", "avx2", "avx512", "amx"};
    return (size_t)tier < sizeof names / sizeof *names ? names[tier] : "?";
}
