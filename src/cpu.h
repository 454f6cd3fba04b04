/* What the processor and the operating system allow. */
#ifndef CPU_H
#define CPU_H

#include "gpt2c/gpt2c.h"

/* The highest tier that CPUID, XCR0 and (for AMX) the kernel's permission allow, whatever this
 * build holds. Asked once per process. */
gpt2c_cpu cpu_best(void);
bool cpu_has_vnni(void);      /* AVX-512 VNNI: VPDPBUSD */
/* AVX-512 BF16 at a higher rate than float32 FMA. Zen 4 and later run VDPBF16PS at full rate;
 * Sapphire Rapids at half the rate of its FMA (131 against 274 GFLOP/s measured on two cores). */
bool cpu_has_fast_bf16(void);

#endif
