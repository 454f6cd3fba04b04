/* Writing a safetensors file of float32 tensors: header, then the data in the order of the list. */
#ifndef SAFETENSORS_OUT_H
#define SAFETENSORS_OUT_H

#include <stdint.h>
#include <stdio.h>

struct safetensors_out {
    char name[32]; /* plain ASCII */
    int32_t n_dims;
    size_t shape[3];
    float *data; /* borrowed */
};

size_t safetensors_out_numel(const struct safetensors_out *tensor);
/* metadata: pairs of key and value, plain text, NULL-terminated. The data begin at a multiple of 64
 * bytes. Errors stay in f. */
void safetensors_out_write(FILE *f, const struct safetensors_out *tensors, size_t n_tensors,
                           const char *const *metadata);

#endif
