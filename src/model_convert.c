/* Writing a model: model.safetensors in bf16 (standard names, for anyone) or int8 panels (our own
 * layout), and its config.json. Both are written under temporary names and renamed when complete.
 */
#include "model_store.h"
#include "status.h"
#include "weights.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct piece { /* one tensor of the new file */
    const char *prefix;
    char name[80];
    enum tensor_dtype dtype;
    int32_t n_dims;
    int64_t shape[3];
    size_t n_bytes;
    const struct matrix *matrix; /* NULL: floats   */
    const float *floats;         /* [n_bytes / 4]  */
    bool scales;                 /* of the matrix  */
};

struct writer {
    gpt2c_model model; /* a shallow copy: model_matrix wants one that may change */
    gpt2c_dtype dtype;
    const char *dir;
    struct piece *pieces; /* [n_pieces] */
    size_t n_pieces;
    unsigned char *panels; /* of one matrix, with its scales */
    float *scales;
    const struct matrix *quantized; /* what they hold */
    gpt2c_error *err;
};

/* ---- files ----------------------------------------------------------------------------------- */

struct target {
    char *path, *temporary;
    FILE *f;
};

static gpt2c_status target_fail(const struct target *t, gpt2c_error *err)
{
    return status_fail(err, GPT2C_E_IO, "%s: %s", t->path, strerror(errno ? errno : EIO));
}

static gpt2c_status target_open(struct target *t, const char *dir, const char *name,
                                gpt2c_error *err)
{
    const size_t n = strlen(dir) + strlen(name) + 40;
    t->path = malloc(n);
    t->temporary = malloc(n);
    if (!t->path || !t->temporary) {
        return status_fail(err, GPT2C_E_NOMEM, "%s: out of memory", dir);
    }
    snprintf(t->path, n, "%s/%s", dir, name);
    int fd = -1;
    for (int i = 0; i < 100 && fd < 0; i++) {
        snprintf(t->temporary, n, "%s/.%s.%ld-%d", dir, name, (long)getpid(), i);
        fd = open(t->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST) {
            break;
        }
    }
    t->f = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (t->f) {
        return GPT2C_OK;
    }
    const gpt2c_status st = target_fail(t, err);
    if (fd >= 0) {
        close(fd);
        unlink(t->temporary);
    }
    free(t->temporary);
    t->temporary = NULL; /* nothing to remove */
    return st;
}

static gpt2c_status target_close(struct target *t, gpt2c_error *err)
{
    errno = 0;
    const bool failed = fflush(t->f) != 0 || ferror(t->f) || fsync(fileno(t->f)) != 0;
    const gpt2c_status st = failed ? target_fail(t, err) : GPT2C_OK;
    const bool closed = fclose(t->f) == 0;
    t->f = NULL;
    return st || closed ? st : target_fail(t, err);
}

static gpt2c_status target_rename(struct target *t, gpt2c_error *err)
{
    if (rename(t->temporary, t->path) != 0) {
        return target_fail(t, err);
    }
    free(t->temporary);
    t->temporary = NULL;
    return GPT2C_OK;
}

static void target_free(struct target *t)
{
    if (t->f) {
        fclose(t->f);
    }
    if (t->temporary) {
        unlink(t->temporary);
    }
    free(t->temporary);
    free(t->path);
}

static bool target_write(const struct target *t, const void *data, size_t n_bytes)
{
    return fwrite(data, 1, n_bytes, t->f) == n_bytes;
}

/* ---- the list of tensors --------------------------------------------------------------------- */

static struct piece *add(struct writer *w, enum tensor_dtype dtype, size_t elem_bytes,
                         int32_t n_dims, const int64_t *shape, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

static struct piece *add(struct writer *w, enum tensor_dtype dtype, size_t elem_bytes,
                         int32_t n_dims, const int64_t *shape, const char *fmt, ...)
{
    struct piece *p = &w->pieces[w->n_pieces++];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->name, sizeof p->name, fmt, ap);
    va_end(ap);
    p->prefix = "transformer.";
    p->dtype = dtype;
    p->n_dims = n_dims;
    p->n_bytes = elem_bytes;
    for (int32_t i = 0; i < n_dims; i++) {
        p->shape[i] = shape[i];
        p->n_bytes *= (size_t)shape[i];
    }
    return p;
}

static void add_matrix(struct writer *w, const struct matrix *m, const char *name)
{
    const char *prefix = strcmp(name, "lm_head") == 0 ? "" : "transformer.";
    struct piece *p;
    if (w->dtype == GPT2C_DTYPE_BF16) {
        const int64_t shape[2] = {weights_rows(m), weights_cols(m)};
        p = add(w, ST_BF16, sizeof(uint16_t), 2, shape, "%s.weight", name);
    } else {
        const int64_t n_panel = ((int64_t)m->n_out + I8_PANEL - 1) / I8_PANEL;
        const int64_t panels[3] = {n_panel, ((int64_t)m->n_in + 3) / 4, 4 * I8_PANEL};
        const int64_t scales[3] = {n_panel, ((int64_t)m->n_in + I8_GROUP - 1) / I8_GROUP, I8_PANEL};
        p = add(w, ST_U8, 1, 3, panels, "%s.weight.i8", name);
        p->prefix = prefix;
        p->matrix = m;
        p = add(w, ST_F32, sizeof(float), 3, scales, "%s.weight.scale", name);
        p->scales = true;
    }
    p->prefix = prefix;
    p->matrix = m;
}

static void add_vector(struct writer *w, const float *v, int64_t n, const char *prefix,
                       const char *name)
{
    add(w, ST_F32, sizeof *v, 1, &n, "%s%s", prefix, name)->floats = v;
}

/* Matrices first, in the order of a forward pass: their sizes keep each on a cache line when n_embd
 * is a multiple of 32, and always those of int8. Vectors of any size last. */
static gpt2c_status list_pieces(struct writer *w)
{
    const gpt2c_hparams *hp = &w->model.hp;
    const int64_t wpe_shape[2] = {hp->n_ctx, hp->n_embd};
    const struct matrix *m;
    char name[64];
    w->pieces = calloc(16 * (size_t)hp->n_layer + 8, sizeof *w->pieces);
    if (!w->pieces) {
        return status_fail(w->err, GPT2C_E_NOMEM, "%s: out of memory", w->dir);
    }
    for (size_t i = 0; (m = model_matrix(&w->model, i)) != NULL; i++) {
        add_matrix(w, m, model_matrix_name(&w->model, i, name, sizeof name));
    }
    add(w, ST_F32, sizeof(float), 2, wpe_shape, "wpe.weight")->matrix = &w->model.wpe;
    for (int32_t il = 0; il < hp->n_layer; il++) {
        const struct layer *l = &w->model.h[il];
        snprintf(name, sizeof name, "h.%d.", il);
        add_vector(w, l->ln_1.w, hp->n_embd, name, "ln_1.weight");
        add_vector(w, l->ln_1.b, hp->n_embd, name, "ln_1.bias");
        add_vector(w, l->c_attn.bias, 3 * (int64_t)hp->n_embd, name, "attn.c_attn.bias");
        add_vector(w, l->attn_c_proj.bias, hp->n_embd, name, "attn.c_proj.bias");
        add_vector(w, l->ln_2.w, hp->n_embd, name, "ln_2.weight");
        add_vector(w, l->ln_2.b, hp->n_embd, name, "ln_2.bias");
        add_vector(w, l->c_fc.bias, hp->n_ff, name, "mlp.c_fc.bias");
        add_vector(w, l->mlp_c_proj.bias, hp->n_embd, name, "mlp.c_proj.bias");
    }
    add_vector(w, w->model.ln_f.w, hp->n_embd, "", "ln_f.weight");
    add_vector(w, w->model.ln_f.b, hp->n_embd, "", "ln_f.bias");
    return GPT2C_OK;
}

/* ---- model.safetensors ----------------------------------------------------------------------- */

/* The header with its length, padded so that the data begins on a cache line. */
static gpt2c_status write_header(struct writer *w, const struct target *t)
{
    char *text = NULL;
    size_t n = 0;
    size_t at = 0;
    FILE *f = open_memstream(&text, &n);
    if (!f) {
        return status_fail(w->err, GPT2C_E_NOMEM, "%s: out of memory", t->path);
    }
    fprintf(f, "{\"__metadata__\":{\"format\":\"pt\"");
    if (w->dtype == GPT2C_DTYPE_INT8) {
        fprintf(f, ",\"gpt2c\":\"%s\"", MODEL_I8_FORMAT);
    }
    fputc('}', f);
    for (size_t i = 0; i < w->n_pieces; i++) {
        const struct piece *p = &w->pieces[i];
        char shape[100];
        fprintf(f, ",\"%s%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
                p->prefix, p->name, safetensors_dtype_name(p->dtype),
                safetensors_shape_text(p->shape, p->n_dims, shape, sizeof shape), at,
                at + p->n_bytes);
        at += p->n_bytes;
    }
    fputc('}', f);
    fflush(f);
    while ((8 + n) % ARENA_ALIGN != 0 && !ferror(f)) {
        fputc(' ', f);
        fflush(f);
    }
    const bool built = fclose(f) == 0;
    const uint64_t n_header = n;
    gpt2c_status st = GPT2C_OK;
    if (!built) {
        st = status_fail(w->err, GPT2C_E_NOMEM, "%s: out of memory", t->path);
    } else if (!target_write(t, &n_header, sizeof n_header) || !target_write(t, text, n)) {
        st = target_fail(t, w->err);
    }
    free(text);
    return st;
}

/* The panels and scales of m: the model's own, or made now. */
static gpt2c_status get_panels(struct writer *w, const struct matrix *m, const struct target *t)
{
    if (w->quantized == m) {
        return GPT2C_OK;
    }
    free(w->panels);
    free(w->scales);
    w->panels = calloc(weights_i8_bytes(m), 1);
    w->scales = calloc(weights_i8_scales(m), sizeof *w->scales);
    w->quantized = m;
    if (!w->panels || !w->scales) {
        return status_fail(w->err, GPT2C_E_NOMEM, "%s: out of memory", t->path);
    }
    if (!weights_quantize(w->panels, w->scales, m, 0, weights_rows(m))) {
        return status_fail(w->err, GPT2C_E_NUMERIC, "%s: NaN or infinity cannot be int8", t->path);
    }
    return GPT2C_OK;
}

/* A float matrix, converted piece by piece: as float32 or bfloat16. */
static bool write_floats(const struct target *t, const struct matrix *m, enum tensor_dtype dtype)
{
    float f32[1024];
    uint16_t bf16[1024];
    const size_t n = (size_t)m->n_in * (size_t)m->n_out;
    bool ok = true;
    for (size_t i = 0; ok && i < n; i += 1024) {
        const size_t part = n - i < 1024 ? n - i : 1024;
        if (dtype == ST_F32) {
            weights_to_f32(f32, m->type, m->w, i, part);
            ok = target_write(t, f32, part * sizeof *f32);
        } else {
            weights_to_bf16(bf16, m->type, m->w, i, part);
            ok = target_write(t, bf16, part * sizeof *bf16);
        }
    }
    return ok;
}

static gpt2c_status write_piece(struct writer *w, const struct piece *p, const struct target *t)
{
    const struct matrix *m = p->matrix;
    bool ok;
    errno = 0;
    if (!m) {
        ok = target_write(t, p->floats, p->n_bytes);
    } else if (p->dtype == ST_BF16 || m == &w->model.wpe) {
        ok = write_floats(t, m, p->dtype);
    } else if (m->type == W_I8) {
        ok = target_write(t, p->scales ? (const void *)m->scale : m->w, p->n_bytes);
    } else {
        const gpt2c_status st = get_panels(w, m, t);
        if (st) {
            return st;
        }
        ok = target_write(t, p->scales ? (const void *)w->scales : w->panels, p->n_bytes);
    }
    return ok ? GPT2C_OK : target_fail(t, w->err);
}

static gpt2c_status write_weights(struct writer *w, struct target *t)
{
    gpt2c_status st = target_open(t, w->dir, "model.safetensors", w->err);
    if (!st) {
        st = write_header(w, t);
    }
    for (size_t i = 0; !st && i < w->n_pieces; i++) {
        st = write_piece(w, &w->pieces[i], t);
    }
    return st ? st : target_close(t, w->err);
}

/* ---- config.json ----------------------------------------------------------------------------- */

/* The double of the shortest decimal that reads back as x: 1e-05, not 9.99999975e-06. */
static double shortest(float x)
{
    char text[32];
    for (int digits = 6; digits < 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)x);
        if (strtof(text, NULL) == x) {
            return strtod(text, NULL);
        }
    }
    return x;
}

static bool add_token(cJSON *root, const char *name, gpt2c_token token)
{
    return token >= 0 ? cJSON_AddNumberToObject(root, name, token) != NULL
                      : cJSON_AddNullToObject(root, name) != NULL;
}

static char *config_text(const struct writer *w)
{
    const gpt2c_hparams *hp = &w->model.hp;
    cJSON *root = cJSON_CreateObject();
    cJSON *architectures = cJSON_AddArrayToObject(root, "architectures");
    const bool ok =
        cJSON_AddItemToArray(architectures, cJSON_CreateString("GPT2LMHeadModel")) &&
        cJSON_AddStringToObject(root, "model_type", "gpt2") &&
        cJSON_AddStringToObject(root, "activation_function", "gelu_new") &&
        cJSON_AddNumberToObject(root, "n_layer", hp->n_layer) &&
        cJSON_AddNumberToObject(root, "n_head", hp->n_head) &&
        cJSON_AddNumberToObject(root, "n_embd", hp->n_embd) &&
        cJSON_AddNumberToObject(root, "n_inner", hp->n_ff) &&
        cJSON_AddNumberToObject(root, "n_positions", hp->n_ctx) &&
        cJSON_AddNumberToObject(root, "n_ctx", hp->n_ctx) &&
        cJSON_AddNumberToObject(root, "vocab_size", hp->n_vocab) &&
        cJSON_AddNumberToObject(root, "layer_norm_epsilon", shortest(hp->layer_norm_epsilon)) &&
        add_token(root, "bos_token_id", hp->bos) && add_token(root, "eos_token_id", hp->eos) &&
        cJSON_AddBoolToObject(root, "tie_word_embeddings", w->model.tied) &&
        (w->dtype != GPT2C_DTYPE_BF16 || cJSON_AddStringToObject(root, "dtype", "bfloat16"));
    char *text = ok ? cJSON_Print(root) : NULL;
    cJSON_Delete(root);
    return text;
}

static gpt2c_status write_config(struct writer *w, struct target *t)
{
    char *text = config_text(w);
    gpt2c_status st = text ? target_open(t, w->dir, "config.json", w->err)
                           : status_fail(w->err, GPT2C_E_NOMEM, "%s: out of memory", w->dir);
    if (!st) {
        errno = 0;
        st = fprintf(t->f, "%s\n", text) < 0 ? target_fail(t, w->err) : target_close(t, w->err);
    }
    cJSON_free(text);
    return st;
}

/* ---- all ------------------------------------------------------------------------------------- */

gpt2c_status gpt2c_model_convert(const gpt2c_model *model, gpt2c_dtype dtype, const char *dir,
                                 gpt2c_error *err)
{
    if (!model || !dir || (dtype != GPT2C_DTYPE_BF16 && dtype != GPT2C_DTYPE_INT8)) {
        return status_fail(err, GPT2C_E_ARG, "gpt2c_model_convert: expected bf16 or int8");
    }
    if (dtype == GPT2C_DTYPE_BF16 && model->wte.type == W_I8) {
        return status_fail(err, GPT2C_E_UNSUPPORTED, "%s: int8 weights do not become bf16 again",
                           model->store->shards[0].file.path);
    }
    struct writer w = {.model = *model, .dtype = dtype, .dir = dir, .err = err};
    struct target weights = {0};
    struct target config = {0};
    gpt2c_status st = list_pieces(&w);
    if (!st) {
        st = write_weights(&w, &weights);
    }
    if (!st) {
        st = write_config(&w, &config);
    }
    if (!st) {
        st = target_rename(&weights, err);
    }
    if (!st) {
        st = target_rename(&config, err);
    }
    target_free(&weights);
    target_free(&config);
    free(w.panels);
    free(w.scales);
    free(w.pieces);
    return st;
}
