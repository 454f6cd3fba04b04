/* The model's life and what can be asked of it. Opening is three steps: the files (model_files.c),
 * the binding of tensors (model_bind.c), and, for bf16 and int8, the packing (model_pack.c). */
#include "model.h"

#include "model_store.h"
#include "status.h"
#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *gpt2c_dtype_name(gpt2c_dtype dtype)
{
    static const char *const names[] = {"f32", "bf16x3", "bf16", "int8"};
    return (size_t)dtype < sizeof names / sizeof *names ? names[dtype] : "?";
}

gpt2c_model_params gpt2c_model_default_params(void)
{
    return (gpt2c_model_params){.dtype = GPT2C_DTYPE_F32, .max_cpu = GPT2C_CPU_AMX};
}

/* ---- open and close -------------------------------------------------------------------------- */

/* A file of int8 panels can only be used as int8: asking for the default means what it holds. */
static gpt2c_status settle_dtype(gpt2c_model *m, const gpt2c_model_params *params, gpt2c_error *err)
{
    m->dtype = params->dtype;
    if (!m->store->int8_file || m->dtype == GPT2C_DTYPE_INT8) {
        return GPT2C_OK;
    }
    if (m->dtype != GPT2C_DTYPE_F32) {
        return status_fail(err, GPT2C_E_UNSUPPORTED, "%s: holds int8 weights, %s is not possible",
                           m->store->shards[0].file.path, gpt2c_dtype_name(m->dtype));
    }
    model_note(params, "%s: holds int8 weights: dtype is int8", m->store->shards[0].file.path);
    m->dtype = GPT2C_DTYPE_INT8;
    return GPT2C_OK;
}

static gpt2c_status open_model(gpt2c_model *m, const char *path, const gpt2c_model_params *params,
                               gpt2c_error *err)
{
    struct config config;
    m->kern = kernels_select(params->max_cpu);
    gpt2c_status st = model_open_files(m, &config, path, params, err);
    if (!st) {
        st = model_bind(m, &config, params, err);
    }
    if (!st) {
        st = settle_dtype(m, params, err);
    }
    return st ? st : model_pack(m, params, err);
}

gpt2c_status gpt2c_model_open(gpt2c_model **out, const char *path, const gpt2c_model_params *params,
                              gpt2c_error *err)
{
    const gpt2c_model_params defaults = gpt2c_model_default_params();
    const gpt2c_model_params *p = params ? params : &defaults;
    if (!out) {
        return status_fail(err, GPT2C_E_ARG, "gpt2c_model_open: out is NULL");
    }
    *out = NULL;
    if (!path || (size_t)p->dtype > GPT2C_DTYPE_INT8 || (size_t)p->max_cpu > GPT2C_CPU_AMX ||
        p->n_threads < 0) {
        return status_fail(err, GPT2C_E_ARG, "gpt2c_model_open: %s",
                           path ? "dtype, max_cpu or n_threads out of range" : "path is NULL");
    }
    gpt2c_model *m = calloc(1, sizeof *m);
    if (m) {
        m->store = calloc(1, sizeof *m->store);
    }
    gpt2c_status st = m && m->store ? open_model(m, path, p, err)
                                    : status_fail(err, GPT2C_E_NOMEM, "%s: out of memory", path);
    if (st) {
        gpt2c_model_close(&m);
    }
    *out = m;
    return st;
}

void gpt2c_model_close(gpt2c_model **model)
{
    if (!model || !*model) {
        return;
    }
    gpt2c_model *m = *model;
    if (m->store) {
        for (size_t i = 0; i < m->store->n_shards; i++) {
            safetensors_close(&m->store->shards[i]);
        }
        free(m->store->shards);
        arena_free(&m->store->vectors);
        arena_free(&m->store->packed);
        free(m->store);
    }
    free(m->h);
    free(m);
    *model = NULL;
}

/* ---- matrices -------------------------------------------------------------------------------- */

static const char *const layer_matrix_names[] = {"attn.c_attn", "attn.c_proj", "mlp.c_fc",
                                                 "mlp.c_proj"};

struct matrix *model_matrix(gpt2c_model *m, size_t i)
{
    const size_t n = 4 * (size_t)m->hp.n_layer;
    if (i == 0) {
        return &m->wte;
    }
    if (i <= n) {
        struct layer *l = &m->h[(i - 1) / 4];
        struct matrix *const of_layer[] = {&l->c_attn, &l->attn_c_proj, &l->c_fc, &l->mlp_c_proj};
        return of_layer[(i - 1) % 4];
    }
    return i == n + 1 && !m->tied ? &m->head : NULL;
}

const char *model_matrix_name(const gpt2c_model *m, size_t i, char *name, size_t cap)
{
    if (i == 0 || i > 4 * (size_t)m->hp.n_layer) {
        snprintf(name, cap, "%s", i == 0 ? "wte" : "lm_head");
    } else {
        snprintf(name, cap, "h.%zu.%s", (i - 1) / 4, layer_matrix_names[(i - 1) % 4]);
    }
    return name;
}

void model_row(const struct matrix *m, int32_t i, float *out)
{
    const size_t n_in = (size_t)m->n_in;
    if (m->type != W_I8) {
        weights_to_f32(out, m->type, m->w, (size_t)i * n_in, n_in);
        return;
    }
    const size_t panel = (size_t)i / I8_PANEL;
    const size_t lane = (size_t)i % I8_PANEL;
    const unsigned char *w = (const unsigned char *)m->w + panel * ((n_in + 3) / 4) * 64 + lane * 4;
    const float *scale = m->scale + panel * ((n_in + I8_GROUP - 1) / I8_GROUP) * I8_PANEL + lane;
    for (size_t k = 0; k < n_in; k++) {
        const int32_t u = w[k / 4 * 64 + k % 4];
        out[k] = (float)(u - 128) * scale[k / I8_GROUP * I8_PANEL];
    }
}

/* ---- questions ------------------------------------------------------------------------------- */

const gpt2c_hparams *gpt2c_model_hparams(const gpt2c_model *model)
{
    return &model->hp;
}

gpt2c_dtype gpt2c_model_dtype(const gpt2c_model *model)
{
    return model->dtype;
}

gpt2c_cpu gpt2c_model_cpu(const gpt2c_model *model)
{
    return model->kern->tier;
}

bool gpt2c_model_is_tied(const gpt2c_model *model)
{
    return model->tied;
}

/* Elements of the biases and layer norms. */
static int64_t n_vector_params(const gpt2c_hparams *hp)
{
    const int64_t layer = 9 * (int64_t)hp->n_embd + hp->n_ff; /* 2 norms: 4, biases: 3 + 1 + 1 */
    return hp->n_layer * layer + 2 * (int64_t)hp->n_embd;
}

int64_t gpt2c_model_n_params(const gpt2c_model *model)
{
    const gpt2c_hparams *hp = &model->hp;
    const int64_t n_embd = hp->n_embd;
    const int64_t layer = 4 * n_embd * n_embd + 2 * n_embd * hp->n_ff;
    const int64_t tables = hp->n_ctx + hp->n_vocab * (model->tied ? (int64_t)1 : 2);
    return tables * n_embd + hp->n_layer * layer + n_vector_params(hp);
}

size_t gpt2c_model_decode_bytes(const gpt2c_model *model)
{
    const gpt2c_hparams *hp = &model->hp;
    size_t n = (size_t)n_vector_params(hp) * sizeof(float) + weights_bytes(&model->head);
    for (int32_t il = 0; il < hp->n_layer; il++) {
        const struct layer *l = &model->h[il];
        n += weights_bytes(&l->c_attn) + weights_bytes(&l->attn_c_proj) + weights_bytes(&l->c_fc) +
             weights_bytes(&l->mlp_c_proj);
    }
    return n + weights_bytes(&model->wte) / (size_t)hp->n_vocab +
           weights_bytes(&model->wpe) / (size_t)hp->n_ctx;
}

/* ---- tensors and files ----------------------------------------------------------------------- */

size_t gpt2c_model_n_tensors(const gpt2c_model *model)
{
    size_t n = 0;
    for (size_t i = 0; i < model->store->n_shards; i++) {
        n += model->store->shards[i].n_tensors;
    }
    return n;
}

gpt2c_status gpt2c_model_tensor(const gpt2c_model *model, size_t i, gpt2c_tensor_info *out,
                                gpt2c_error *err)
{
    const struct safetensors *shard = model->store->shards;
    const struct safetensors *end = shard + model->store->n_shards;
    size_t left = i;
    while (shard < end && left >= shard->n_tensors) {
        left -= shard->n_tensors;
        shard++;
    }
    if (shard == end) {
        return status_fail(err, GPT2C_E_ARG, "tensor %zu: expected one of %zu", i,
                           gpt2c_model_n_tensors(model));
    }
    const struct tensor *t = &shard->tensors[left];
    *out = (gpt2c_tensor_info){.name = t->name,
                               .dtype = safetensors_dtype_name(t->dtype),
                               .file = shard->file.path,
                               .data = t->data,
                               .n_dims = t->n_dims,
                               .offset = t->offset,
                               .n_bytes = t->n_bytes,
                               .used = t->used};
    memcpy(out->shape, t->shape, sizeof out->shape);
    return GPT2C_OK;
}

bool gpt2c_model_mapping(const gpt2c_model *model, size_t i, const void **base, size_t *n_bytes,
                         const char **file)
{
    if (i >= model->store->n_shards || !model->store->shards[i].file.mapped) {
        return false;
    }
    *base = model->store->shards[i].file.data;
    *n_bytes = model->store->shards[i].file.n_bytes;
    *file = model->store->shards[i].file.path;
    return true;
}

gpt2c_status gpt2c_model_wte(const gpt2c_model *model, gpt2c_token token, float *out,
                             gpt2c_error *err)
{
    if (token < 0 || token >= model->hp.n_vocab) {
        return status_fail(err, GPT2C_E_ARG, "token %d: expected 0 … %d", token,
                           model->hp.n_vocab - 1);
    }
    model_row(&model->wte, token, out);
    return GPT2C_OK;
}

gpt2c_status gpt2c_model_wpe(const gpt2c_model *model, int32_t pos, float *out, gpt2c_error *err)
{
    if (pos < 0 || pos >= model->hp.n_ctx) {
        return status_fail(err, GPT2C_E_ARG, "position %d: expected 0 … %d", pos,
                           model->hp.n_ctx - 1);
    }
    model_row(&model->wpe, pos, out);
    return GPT2C_OK;
}
