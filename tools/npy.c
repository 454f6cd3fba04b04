/* NumPy's .npy format, version 1.0: little-endian float32, C order, any rank. */
#include "npy.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tensors are little-endian in the files that we read and write"
#endif

void npy_write_header(FILE *f, const size_t *shape, size_t n_dims)
{
    char dict[320]; /* 8 sizes of 20 digits */
    int n = snprintf(dict, sizeof dict, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (size_t i = 0; i < n_dims; i++) {
        n += snprintf(dict + n, sizeof dict - (size_t)n, "%s%zu", i ? ", " : "", shape[i]);
    }
    n += snprintf(dict + n, sizeof dict - (size_t)n, "%s), }", n_dims == 1 ? "," : "");
    /* Magic, version, length, dict, padding and newline: a multiple of 64 bytes. */
    const int total = (10 + n + 1 + 63) / 64 * 64;
    const int n_header = total - 10;
    const unsigned char length[2] = {(unsigned char)(n_header & 0xff),
                                     (unsigned char)(n_header >> 8)};
    fwrite("\x93NUMPY\x01\x00", 1, 8, f);
    fwrite(length, 1, sizeof length, f);
    fprintf(f, "%s%*s\n", dict, n_header - n - 1, "");
}

void npy_write(FILE *f, const float *data, const size_t *shape, size_t n_dims)
{
    size_t n = 1;
    for (size_t i = 0; i < n_dims; i++) {
        n *= shape[i];
    }
    npy_write_header(f, shape, n_dims);
    fwrite(data, sizeof *data, n, f);
}
