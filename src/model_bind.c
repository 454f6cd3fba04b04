/* The one table from checkpoint names to places in the model. Every tensor's type and shape is
 * checked here against config.json; afterwards code uses plain pointers. */
#include "model_store.h"
#include "status.h"
#include "weights.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NOTES 8 /* about unknown tensors */

enum size { N_NONE, N_EMBD, N_EMBD_3, N_FF, N_CTX, N_VOCAB };
enum kind { VECTOR, CONV1D, TABLE, TABLE_FLOAT }; /* TABLE: out_major; FLOAT: never W_I8 */

struct binding {
    const char *name;
    enum kind kind;
    enum size rows, cols; /* as in the file; vectors: cols is N_NONE */
    size_t at;            /* of a struct matrix or a const float *   */
};

#define AT(field) offsetof(struct layer, field)
static const struct binding layer_bindings[] = {
    {"ln_1.weight", VECTOR, N_EMBD, N_NONE, AT(ln_1.w)},
    {"ln_1.bias", VECTOR, N_EMBD, N_NONE, AT(ln_1.b)},
    {"attn.c_attn.weight", CONV1D, N_EMBD, N_EMBD_3, AT(c_attn)},
    {"attn.c_attn.bias", VECTOR, N_EMBD_3, N_NONE, AT(c_attn.bias)},
    {"attn.c_proj.weight", CONV1D, N_EMBD, N_EMBD, AT(attn_c_proj)},
    {"attn.c_proj.bias", VECTOR, N_EMBD, N_NONE, AT(attn_c_proj.bias)},
    {"ln_2.weight", VECTOR, N_EMBD, N_NONE, AT(ln_2.w)},
    {"ln_2.bias", VECTOR, N_EMBD, N_NONE, AT(ln_2.b)},
    {"mlp.c_fc.weight", CONV1D, N_EMBD, N_FF, AT(c_fc)},
    {"mlp.c_fc.bias", VECTOR, N_FF, N_NONE, AT(c_fc.bias)},
    {"mlp.c_proj.weight", CONV1D, N_FF, N_EMBD, AT(mlp_c_proj)},
    {"mlp.c_proj.bias", VECTOR, N_EMBD, N_NONE, AT(mlp_c_proj.bias)},
};
#undef AT
#define AT(field) offsetof(struct gpt2c_model, field)
static const struct binding model_bindings[] = {
    {"wte.weight", TABLE, N_VOCAB, N_EMBD, AT(wte)},
    {"wpe.weight", TABLE_FLOAT, N_CTX, N_EMBD, AT(wpe)},
    {"ln_f.weight", VECTOR, N_EMBD, N_NONE, AT(ln_f.w)},
    {"ln_f.bias", VECTOR, N_EMBD, N_NONE, AT(ln_f.b)},
};
static const struct binding head_binding = {"lm_head.weight", TABLE, N_VOCAB, N_EMBD, AT(head)};
#undef AT

#define N(array) (sizeof(array) / sizeof *(array))

struct binder {
    gpt2c_model *m;
    const char *prefix; /* "transformer." or "" */
    gpt2c_error *err;
};

static int64_t size_of(const gpt2c_hparams *hp, enum size size)
{
    switch (size) {
    case N_EMBD:
        return hp->n_embd;
    case N_EMBD_3:
        return 3 * (int64_t)hp->n_embd;
    case N_FF:
        return hp->n_ff;
    case N_CTX:
        return hp->n_ctx;
    case N_VOCAB:
        return hp->n_vocab;
    case N_NONE:
        break;
    }
    return 1;
}

/* ---- one tensor ------------------------------------------------------------------------------ */

static gpt2c_status find(const struct binder *b, const char *name, const int64_t *shape,
                         int32_t n_dims, struct tensor **out)
{
    const struct safetensors *shard = NULL;
    struct tensor *t = model_find_tensor(b->m->store, name, &shard);
    char want[200];
    char have[200];
    if (!t) {
        return status_fail(b->err, GPT2C_E_FORMAT, "%s: tensor %s: expected %s, not found",
                           b->m->store->shards[0].file.path, name,
                           safetensors_shape_text(shape, n_dims, want, sizeof want));
    }
    if (t->n_dims != n_dims || memcmp(t->shape, shape, (size_t)n_dims * sizeof *shape) != 0) {
        return status_fail(b->err, GPT2C_E_FORMAT, "%s: tensor %s: config.json says %s, found %s",
                           shard->file.path, name,
                           safetensors_shape_text(shape, n_dims, want, sizeof want),
                           safetensors_shape_text(t->shape, t->n_dims, have, sizeof have));
    }
    t->used = true;
    *out = t;
    return GPT2C_OK;
}

static gpt2c_status float_type(const struct binder *b, const struct tensor *t,
                               enum weight_type *out)
{
    switch (t->dtype) {
    case ST_F32:
        *out = W_F32;
        return GPT2C_OK;
    case ST_BF16:
        *out = W_BF16;
        return GPT2C_OK;
    case ST_F16:
        *out = W_F16;
        return GPT2C_OK;
    default:
        return status_fail(
            b->err, GPT2C_E_UNSUPPORTED, "%s: tensor %s: expected F32, F16 or BF16, found %s",
            b->m->store->shards[0].file.path, t->name, safetensors_dtype_name(t->dtype));
    }
}

static gpt2c_status panel_tensor(const struct binder *b, const char *name, const char *suffix,
                                 enum tensor_dtype dtype, const int64_t shape[3], const void **out)
{
    char full[200];
    struct tensor *t = NULL;
    snprintf(full, sizeof full, "%s%s", name, suffix);
    const gpt2c_status st = find(b, full, shape, 3, &t);
    if (st) {
        return st;
    }
    if (t->dtype != dtype || t->offset % ARENA_ALIGN != 0) {
        return status_fail(b->err, GPT2C_E_FORMAT,
                           "%s: tensor %s: expected %s at a multiple of 64, found %s at byte %llu",
                           b->m->store->shards[0].file.path, full, safetensors_dtype_name(dtype),
                           safetensors_dtype_name(t->dtype), (unsigned long long)t->offset);
    }
    *out = t->data;
    return GPT2C_OK;
}

static gpt2c_status bind_panels(const struct binder *b, const char *name, struct matrix *m)
{
    const int64_t n_panel = ((int64_t)m->n_out + I8_PANEL - 1) / I8_PANEL;
    const int64_t panels[3] = {n_panel, ((int64_t)m->n_in + 3) / 4, 4 * I8_PANEL};
    const int64_t scales[3] = {n_panel, ((int64_t)m->n_in + I8_GROUP - 1) / I8_GROUP, I8_PANEL};
    const void *scale = NULL;
    gpt2c_status st = panel_tensor(b, name, ".i8", ST_U8, panels, &m->w);
    if (!st) {
        st = panel_tensor(b, name, ".scale", ST_F32, scales, &scale);
    }
    m->type = W_I8;
    m->scale = scale;
    return st;
}

static gpt2c_status bind_matrix(const struct binder *b, const struct binding *e, const char *name,
                                struct matrix *m)
{
    const int64_t shape[2] = {size_of(&b->m->hp, e->rows), size_of(&b->m->hp, e->cols)};
    m->out_major = e->kind != CONV1D;
    m->n_in = (int32_t)shape[m->out_major ? 1 : 0];
    m->n_out = (int32_t)shape[m->out_major ? 0 : 1];
    if (b->m->store->int8_file && e->kind != TABLE_FLOAT) {
        return bind_panels(b, name, m);
    }
    struct tensor *t = NULL;
    gpt2c_status st = find(b, name, shape, 2, &t);
    if (!st) {
        st = float_type(b, t, &m->type);
        m->w = t->data;
    }
    return st;
}

/* While the block is being measured only checks; then converts. */
static gpt2c_status bind_vector(const struct binder *b, const struct binding *e, const char *name,
                                const float **out)
{
    const int64_t n = size_of(&b->m->hp, e->rows);
    enum weight_type type = W_F32;
    struct tensor *t = NULL;
    gpt2c_status st = find(b, name, &n, 1, &t);
    if (!st) {
        st = float_type(b, t, &type);
    }
    if (!st) {
        float *v = arena_carve(&b->m->store->vectors, (size_t)n, sizeof *v);
        if (v) {
            weights_to_f32(v, type, t->data, 0, (size_t)n);
        }
        *out = v;
    }
    return st;
}

static gpt2c_status bind(const struct binder *b, const struct binding *e, const char *prefix,
                         void *base)
{
    char name[160];
    void *at = (char *)base + e->at;
    snprintf(name, sizeof name, "%s%s", prefix, e->name);
    return e->kind == VECTOR ? bind_vector(b, e, name, at) : bind_matrix(b, e, name, at);
}

static gpt2c_status bind_all(const struct binder *b)
{
    gpt2c_status st = GPT2C_OK;
    for (size_t i = 0; !st && i < N(model_bindings); i++) {
        st = bind(b, &model_bindings[i], b->prefix, b->m);
    }
    for (int32_t il = 0; !st && il < b->m->hp.n_layer; il++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "%sh.%d.", b->prefix, il);
        for (size_t i = 0; !st && i < N(layer_bindings); i++) {
            st = bind(b, &layer_bindings[i], prefix, &b->m->h[il]);
        }
    }
    return st;
}

/* ---- the head -------------------------------------------------------------------------------- */

static bool exists(const gpt2c_model *m, const char *prefix, const char *name)
{
    const struct safetensors *shard;
    char full[200];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    return model_find_tensor(m->store, full, &shard) != NULL;
}

static bool same_matrix(const struct matrix *a, const struct matrix *b)
{
    if (a->type != b->type) {
        return false;
    }
    if (a->type != W_I8) {
        return memcmp(a->w, b->w, weights_bytes(a)) == 0;
    }
    return memcmp(a->w, b->w, weights_i8_bytes(a)) == 0 &&
           memcmp(a->scale, b->scale, weights_i8_scales(a) * sizeof *a->scale) == 0;
}

/* lm_head.weight has no prefix in any file. Present and equal counts as tied. */
static gpt2c_status bind_head(const struct binder *b, const struct config *config,
                              const gpt2c_model_params *params)
{
    gpt2c_model *m = b->m;
    const char *weights = m->store->shards[0].file.path;
    if (!exists(m, head_binding.name, m->store->int8_file ? ".i8" : "")) {
        if (!config->tie_word_embeddings) {
            return status_fail(b->err, GPT2C_E_FORMAT,
                               "%s: tensor %s: expected, for config.json "
                               "says tie_word_embeddings false; not found",
                               weights, head_binding.name);
        }
        m->tied = true;
        m->head = m->wte;
        return GPT2C_OK;
    }
    const gpt2c_status st = bind(b, &head_binding, "", m);
    if (st) {
        return st;
    }
    m->tied = same_matrix(&m->head, &m->wte);
    if (m->tied) {
        m->head = m->wte;
    } else if (config->tie_word_embeddings) {
        model_note(params,
                   "%s: %s differs from wte.weight and is used, though config.json ties them",
                   weights, head_binding.name);
    }
    return GPT2C_OK;
}

/* ---- tensors without a place ----------------------------------------------------------------- */

static bool has_suffix(const char *text, const char *suffix)
{
    const size_t n = strlen(text);
    const size_t n_suffix = strlen(suffix);
    return n >= n_suffix && strcmp(text + n - n_suffix, suffix) == 0;
}

static bool is_mask_buffer(const char *name)
{
    return has_suffix(name, ".attn.bias") || has_suffix(name, ".attn.masked_bias");
}

/* Weights of a layer that config.json does not know of: the two contradict each other. */
static bool is_layer(const struct binder *b, const char *name)
{
    const size_t n_prefix = strlen(b->prefix);
    return strncmp(name, b->prefix, n_prefix) == 0 && strncmp(name + n_prefix, "h.", 2) == 0 &&
           name[n_prefix + 2] >= '0' && name[n_prefix + 2] <= '9' &&
           strtol(name + n_prefix + 2, NULL, 10) >= b->m->hp.n_layer;
}

static gpt2c_status check_unused(const struct binder *b, const gpt2c_model_params *params)
{
    size_t n_unknown = 0;
    for (size_t i = 0; i < b->m->store->n_shards; i++) {
        const struct safetensors *shard = &b->m->store->shards[i];
        for (size_t k = 0; k < shard->n_tensors; k++) {
            const char *name = shard->tensors[k].name;
            if (shard->tensors[k].used || is_mask_buffer(name)) {
                continue;
            }
            if (is_layer(b, name)) {
                return status_fail(b->err, GPT2C_E_FORMAT,
                                   "%s: tensor %.64s: config.json says n_layer %d",
                                   shard->file.path, name, b->m->hp.n_layer);
            }
            if (n_unknown++ < MAX_NOTES) {
                model_note(params, "%.200s: unknown tensor %.64s ignored", shard->file.path, name);
            }
        }
    }
    if (n_unknown > MAX_NOTES) {
        model_note(params, "%zu more unknown tensors ignored", n_unknown - MAX_NOTES);
    }
    return GPT2C_OK;
}

/* ---- all ------------------------------------------------------------------------------------- */

static gpt2c_status check_format(gpt2c_model *m, gpt2c_error *err)
{
    const struct safetensors *first = &m->store->shards[0];
    if (!first->format) {
        return GPT2C_OK;
    }
    if (strcmp(first->format, MODEL_I8_FORMAT) != 0) {
        return status_fail(err, GPT2C_E_UNSUPPORTED, "%s: expected the layout %s, found %.64s",
                           first->file.path, MODEL_I8_FORMAT, first->format);
    }
    m->store->int8_file = true;
    return GPT2C_OK;
}

gpt2c_status model_bind(gpt2c_model *m, const struct config *config,
                        const gpt2c_model_params *params, gpt2c_error *err)
{
    struct model_store *store = m->store;
    struct binder b = {.m = m, .err = err};
    if (store->n_shards == 0) {
        return status_fail(err, GPT2C_E_FORMAT, "weight_map: expected tensors, found none");
    }
    gpt2c_status st = check_format(m, err);
    if (st) {
        return st;
    }
    b.prefix = exists(m, "transformer.", "wpe.weight") ? "transformer." : "";
    m->h = calloc((size_t)m->hp.n_layer, sizeof *m->h);
    if (!m->h) {
        return status_fail(err, GPT2C_E_NOMEM, "out of memory for %d layers", m->hp.n_layer);
    }
    st = bind_all(&b); /* measures the vectors */
    if (!st) {
        st = arena_allocate(&store->vectors, "biases and layer norms", err);
    }
    if (!st) {
        st = bind_all(&b);
    }
    if (!st) {
        st = bind_head(&b, config, params);
    }
    return st ? st : check_unused(&b, params);
}
