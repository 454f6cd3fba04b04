/* What this machine can do: memory bandwidth and arithmetic peak, measured in a child process so
 * that its memory does not count as ours. */
#ifndef PROBE_H
#define PROBE_H

#include "gpt2c/gpt2c.h"

struct probe {
    double read_gb_s;   /* best of several patterns of far-apart streams over huge pages */
    double peak_gflop_s; /* multiply and add from registers, in the best instruction that the kernel
                            tier has for the dtype; 0: not known for this processor              */
};

/* Takes about a second. False when the child could not be started or died. */
bool probe_machine(int32_t n_threads, gpt2c_cpu tier, gpt2c_dtype dtype, struct probe *out);

#endif
