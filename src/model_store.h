/* What a model owns, and the steps of opening it. Private to the model*.c files. */
#ifndef MODEL_STORE_H
#define MODEL_STORE_H

#include "arena.h"
#include "config.h"
#include "model.h"
#include "safetensors.h"

/* __metadata__ "gpt2c" of files whose matrices are W_I8 panels; tensors of name + ".i8" and
 * ".scale". */
#define MODEL_I8_FORMAT "int8-panel16-group128"

struct model_store {
    struct safetensors *shards; /* [n_shards] */
    size_t n_shards;
    bool int8_file;       /* the shards hold MODEL_I8_FORMAT                         */
    struct arena vectors; /* biases and layer norms as float32                       */
    struct arena packed;  /* matrices in another type than the file's, or in another place */
};

struct model_paths {
    char *config;  /* path of config.json                                 */
    char *weights; /* model.safetensors or the index                      */
    char *folder;  /* with a slash at the end; "" is the current folder   */
    bool sharded;
};

/* A note through the log callback. */
void model_note(const gpt2c_model_params *params, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* model_files.c: finds and opens the files of `path` into m->hp and m->store->shards. */
gpt2c_status model_open_files(gpt2c_model *m, struct config *config, const char *path,
                              const gpt2c_model_params *params, gpt2c_error *err);
struct tensor *model_find_tensor(const struct model_store *store, const char *name,
                                 const struct safetensors **shard);

/* model_bind.c: points every matrix and vector of m at its tensor, checked. */
gpt2c_status model_bind(gpt2c_model *m, const struct config *config,
                        const gpt2c_model_params *params, gpt2c_error *err);

/* model_pack.c: the matrices in m->dtype where the file has another type, and on huge pages. */
gpt2c_status model_pack(gpt2c_model *m, const gpt2c_model_params *params, gpt2c_error *err);

/* The matrices in the order of a forward pass: wte, those of each layer, and the head unless tied.
 * NULL past the last. */
struct matrix *model_matrix(gpt2c_model *m, size_t i);
/* Its tensor's name without prefix and ".weight" into name [cap]. */
const char *model_matrix_name(const gpt2c_model *m, size_t i, char *name, size_t cap);

#endif
