/* A safetensors file: its header as a checked index of tensors over the mapped data. */
#ifndef SAFETENSORS_H
#define SAFETENSORS_H

#include "mapfile.h"

#define TENSOR_MAX_DIMS 8

enum tensor_dtype { /* every type of the format; the order is that of the table in safetensors.c */
    ST_BOOL, ST_F4, ST_F6_E2M3, ST_F6_E3M2, ST_U8, ST_I8, ST_F8_E5M2, ST_F8_E4M3, ST_F8_E8M0,
    ST_F8_E4M3FNUZ, ST_F8_E5M2FNUZ, ST_I16, ST_U16, ST_F16, ST_BF16, ST_I32, ST_U32, ST_F32, ST_C64,
    ST_F64, ST_I64, ST_U64, N_TENSOR_DTYPES
};

struct tensor {
    char *name; /* any bytes but NUL: escape when printing; never a path */
    const unsigned char *data; /* [n_bytes], any alignment */
    enum tensor_dtype dtype;
    int32_t n_dims;
    int64_t shape[TENSOR_MAX_DIMS];
    uint64_t offset; /* of data in the file */
    uint64_t n_bytes;
    bool used; /* set by the model that reads it */
};

struct safetensors {
    struct mapfile file;
    struct tensor *tensors; /* [n_tensors], in file order */
    struct tensor **by_name; /* [n_tensors], sorted       */
    size_t n_tensors;
    char *format; /* __metadata__ "gpt2c", NULL without it */
};

/* Opens and checks a file by the rules of the reference implementation; stricter in this: duplicate
 * names, more than 65,536 tensors, names above 1,024 bytes, rank above 8, sizes above 2^48, JSON
 * nested above 32 levels and tensors not written as objects are refused. */
gpt2c_status safetensors_open(struct safetensors *out, const char *path, bool use_mmap,
                              gpt2c_error *err);
/* The same for a file in memory, which *out takes over also on failure. */
gpt2c_status safetensors_parse(struct safetensors *out, struct mapfile *file, gpt2c_error *err);
void safetensors_close(struct safetensors *st); /* zeroes it; a zeroed one is ok */

struct tensor *safetensors_find(const struct safetensors *st, const char *name); /* NULL: none */
const char *safetensors_dtype_name(enum tensor_dtype dtype);
/* "[2, 3]" into text [cap]; returns text. */
const char *safetensors_shape_text(const int64_t *shape, int32_t n_dims, char *text, size_t cap);

#endif
