/* The header of a safetensors file, read as if its author wished us ill: every length is checked
 * before use, products are checked for overflow, and the tensors must cover the data exactly,
 * without holes or overlap. The checks come in the order of the reference implementation. */
#include "safetensors.h"

#include "json.h"
#include "status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADER_BYTES ((uint64_t)100000000)
#define MAX_TENSORS ((size_t)65536)
#define MAX_NAME_BYTES ((size_t)1024)
#define MAX_SIZE ((uint64_t)1 << 48)
/* Each tensor takes 6 values and one more a dimension; the rest is metadata. Bounds the tree. */
#define MAX_JSON_VALUES (MAX_TENSORS * 16)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are used as the file has them");

static const struct {
    const char *name;
    uint32_t bits;
} dtypes[] = {
    [ST_BOOL] = {"BOOL", 8},
    [ST_F4] = {"F4", 4},
    [ST_F6_E2M3] = {"F6_E2M3", 6},
    [ST_F6_E3M2] = {"F6_E3M2", 6},
    [ST_U8] = {"U8", 8},
    [ST_I8] = {"I8", 8},
    [ST_F8_E5M2] = {"F8_E5M2", 8},
    [ST_F8_E4M3] = {"F8_E4M3", 8},
    [ST_F8_E8M0] = {"F8_E8M0", 8},
    [ST_F8_E4M3FNUZ] = {"F8_E4M3FNUZ", 8},
    [ST_F8_E5M2FNUZ] = {"F8_E5M2FNUZ", 8},
    [ST_I16] = {"I16", 16},
    [ST_U16] = {"U16", 16},
    [ST_F16] = {"F16", 16},
    [ST_BF16] = {"BF16", 16},
    [ST_I32] = {"I32", 32},
    [ST_U32] = {"U32", 32},
    [ST_F32] = {"F32", 32},
    [ST_C64] = {"C64", 64},
    [ST_F64] = {"F64", 64},
    [ST_I64] = {"I64", 64},
    [ST_U64] = {"U64", 64},
};

const char *safetensors_dtype_name(enum tensor_dtype dtype)
{
    return (size_t)dtype < N_TENSOR_DTYPES ? dtypes[dtype].name : "?";
}

const char *safetensors_shape_text(const int64_t *shape, int32_t n_dims, char *text, size_t cap)
{
    size_t n = (size_t)snprintf(text, cap, "[");
    for (int32_t i = 0; i < n_dims && n < cap; i++) {
        n += (size_t)snprintf(text + n, cap - n, "%s%lld", i ? ", " : "", (long long)shape[i]);
    }
    if (n < cap) {
        snprintf(text + n, cap - n, "]");
    }
    return text;
}

/* ---- one tensor ------------------------------------------------------------------------------ */

/* The scan let only whole numbers below 2^53 through, which a double holds exactly. */
static bool read_size(const cJSON *item, uint64_t *out)
{
    if (!cJSON_IsNumber(item) || item->valuedouble > (double)MAX_SIZE) {
        return false;
    }
    *out = (uint64_t)item->valuedouble;
    return true;
}

static bool read_dtype(const cJSON *item, struct tensor *t)
{
    for (int i = 0; cJSON_IsString(item) && i < N_TENSOR_DTYPES; i++) {
        if (strcmp(item->valuestring, dtypes[i].name) == 0) {
            t->dtype = (enum tensor_dtype)i;
            return true;
        }
    }
    return false;
}

static bool read_shape(const cJSON *item, struct tensor *t)
{
    const cJSON *dim;
    if (!cJSON_IsArray(item)) {
        return false;
    }
    cJSON_ArrayForEach (dim, item) {
        uint64_t v;
        if (t->n_dims == TENSOR_MAX_DIMS || !read_size(dim, &v)) {
            return false;
        }
        t->shape[t->n_dims++] = (int64_t)v;
    }
    return true;
}

/* data_offsets, counted from the end of the header: [begin, end] into offset and n_bytes. */
static bool read_offsets(const cJSON *item, struct tensor *t)
{
    if (!cJSON_IsArray(item) || !item->child || !item->child->next || item->child->next->next) {
        return false;
    }
    uint64_t end;
    if (!read_size(item->child, &t->offset) || !read_size(item->child->next, &end) ||
        end < t->offset) {
        return false;
    }
    t->n_bytes = end - t->offset;
    return true;
}

static gpt2c_status read_tensor(struct tensor *t, const cJSON *item, const char *path,
                                gpt2c_error *err)
{
    static const struct {
        const char *name, *expected;
        bool (*read)(const cJSON *item, struct tensor *t);
    } fields[] = {
        {"dtype", "a known type", read_dtype},
        {"shape", "at most 8 whole numbers up to 2^48", read_shape},
        {"data_offsets", "[begin, end], begin <= end, up to 2^48", read_offsets},
    };
    unsigned seen = 0;
    const cJSON *field;
    t->name = strdup(item->string);
    if (!t->name) {
        return status_fail(err, GPT2C_E_NOMEM, "%s: out of memory", path);
    }
    if (strlen(t->name) > MAX_NAME_BYTES) {
        return status_fail(err, GPT2C_E_FORMAT,
                           "%s: tensor %.64s…: expected a name of at most %zu "
                           "bytes, found %zu",
                           path, t->name, MAX_NAME_BYTES, strlen(t->name));
    }
    if (!cJSON_IsObject(item)) {
        return status_fail(err, GPT2C_E_FORMAT, "%s: tensor %s: expected an object", path, t->name);
    }
    cJSON_ArrayForEach (field, item) {
        for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++) {
            if (strcmp(field->string, fields[i].name) != 0) {
                continue;
            }
            if (seen & 1u << i) {
                return status_fail(err, GPT2C_E_FORMAT, "%s: tensor %s: %s stands there twice",
                                   path, t->name, fields[i].name);
            }
            seen |= 1u << i;
            if (!fields[i].read(field, t)) {
                return status_fail(err, GPT2C_E_FORMAT, "%s: tensor %s: %s: expected %s", path,
                                   t->name, fields[i].name, fields[i].expected);
            }
        }
    }
    for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (!(seen & 1u << i)) {
            return status_fail(err, GPT2C_E_FORMAT, "%s: tensor %s: %s is missing", path, t->name,
                               fields[i].name);
        }
    }
    return GPT2C_OK;
}

static gpt2c_status check_size(const struct tensor *t, const char *path, gpt2c_error *err)
{
    uint64_t n = 1;
    for (int32_t i = 0; i < t->n_dims; i++) {
        const uint64_t dim = (uint64_t)t->shape[i];
        if (dim && n > UINT64_MAX / dim) { /* from left to right, as the reference counts */
            return status_fail(err, GPT2C_E_FORMAT, "%s: tensor %s: the shape overflows", path,
                               t->name);
        }
        n *= dim;
    }
    const uint64_t bits = dtypes[t->dtype].bits;
    if (n > UINT64_MAX / bits) {
        return status_fail(err, GPT2C_E_FORMAT, "%s: tensor %s: the shape overflows", path,
                           t->name);
    }
    if (n * bits % 8) {
        return status_fail(err, GPT2C_E_FORMAT, "%s: tensor %s: does not end on a whole byte", path,
                           t->name);
    }
    if (n * bits / 8 != t->n_bytes) {
        char shape[200];
        return status_fail(err, GPT2C_E_FORMAT,
                           "%s: tensor %s: %s %s: expected %llu bytes, found %llu", path, t->name,
                           dtypes[t->dtype].name,
                           safetensors_shape_text(t->shape, t->n_dims, shape, sizeof shape),
                           (unsigned long long)(n * bits / 8), (unsigned long long)t->n_bytes);
    }
    return GPT2C_OK;
}

/* ---- the index ------------------------------------------------------------------------------- */

static gpt2c_status read_metadata(struct safetensors *st, const cJSON *item, gpt2c_error *err)
{
    const cJSON *entry;
    if (cJSON_IsNull(item)) {
        return GPT2C_OK;
    }
    if (!cJSON_IsObject(item)) {
        return status_fail(err, GPT2C_E_FORMAT, "%s: __metadata__: expected an object",
                           st->file.path);
    }
    cJSON_ArrayForEach (entry, item) {
        if (!cJSON_IsString(entry)) {
            return status_fail(err, GPT2C_E_FORMAT, "%s: __metadata__: %.64s: expected a string",
                               st->file.path, entry->string);
        }
        if (strcmp(entry->string, "gpt2c") == 0 && !st->format) {
            st->format = strdup(entry->valuestring);
            if (!st->format) {
                return status_fail(err, GPT2C_E_NOMEM, "%s: out of memory", st->file.path);
            }
        }
    }
    return GPT2C_OK;
}

static gpt2c_status read_tree(struct safetensors *st, const cJSON *root, gpt2c_error *err)
{
    size_t n = 0;
    bool metadata = false;
    const cJSON *item;
    if (!cJSON_IsObject(root)) {
        return status_fail(err, GPT2C_E_FORMAT, "%s: header: expected an object", st->file.path);
    }
    cJSON_ArrayForEach (item, root) {
        n++;
    }
    if (n > MAX_TENSORS + 1) {
        return status_fail(err, GPT2C_E_FORMAT, "%s: expected at most %zu tensors, found %zu",
                           st->file.path, MAX_TENSORS, n);
    }
    st->tensors = calloc(n + 1, sizeof *st->tensors);
    st->by_name = calloc(n + 1, sizeof *st->by_name);
    if (!st->tensors || !st->by_name) {
        return status_fail(err, GPT2C_E_NOMEM, "%s: out of memory for %zu tensors", st->file.path,
                           n);
    }
    cJSON_ArrayForEach (item, root) {
        gpt2c_status code;
        if (strcmp(item->string, "__metadata__") != 0) {
            code = read_tensor(&st->tensors[st->n_tensors++], item, st->file.path, err);
        } else if (metadata) {
            code = status_fail(err, GPT2C_E_FORMAT, "%s: __metadata__ stands there twice",
                               st->file.path);
        } else {
            metadata = true;
            code = read_metadata(st, item, err);
        }
        if (code) {
            return code;
        }
    }
    return GPT2C_OK;
}

static int by_offset(const void *a, const void *b)
{
    const struct tensor *x = a;
    const struct tensor *y = b;
    if (x->offset != y->offset) {
        return x->offset < y->offset ? -1 : 1;
    }
    if (x->n_bytes != y->n_bytes) {
        return x->n_bytes < y->n_bytes ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b)
{
    const struct tensor *const *x = a;
    const struct tensor *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* The data must be covered without holes or overlap, to the last byte. */
static gpt2c_status check_layout(struct safetensors *st, uint64_t header_end, gpt2c_error *err)
{
    const char *path = st->file.path;
    const uint64_t data_bytes = st->file.n_bytes - header_end;
    uint64_t at = 0;
    qsort(st->tensors, st->n_tensors, sizeof *st->tensors, by_offset);
    for (size_t i = 0; i < st->n_tensors; i++) {
        struct tensor *t = &st->tensors[i];
        if (t->offset != at) {
            return status_fail(
                err, GPT2C_E_FORMAT,
                "%s: tensor %s: expected to begin at byte %llu of the data, found %llu", path,
                t->name, (unsigned long long)at, (unsigned long long)t->offset);
        }
        const gpt2c_status code = check_size(t, path, err);
        if (code) {
            return code;
        }
        at += t->n_bytes;
        if (at > data_bytes) {
            return status_fail(err, GPT2C_E_FORMAT,
                               "%s: tensor %s: expected data up to byte %llu, the file ends at %zu",
                               path, t->name, (unsigned long long)(header_end + at),
                               st->file.n_bytes);
        }
        t->offset += header_end;
        t->data = st->file.data + t->offset;
    }
    if (at != data_bytes) {
        return status_fail(err, GPT2C_E_FORMAT,
                           "%s: expected the data to end at byte %llu, found %zu", path,
                           (unsigned long long)(header_end + at), st->file.n_bytes);
    }
    return GPT2C_OK;
}

static gpt2c_status sort_names(struct safetensors *st, gpt2c_error *err)
{
    for (size_t i = 0; i < st->n_tensors; i++) {
        st->by_name[i] = &st->tensors[i];
    }
    qsort(st->by_name, st->n_tensors, sizeof *st->by_name, by_name);
    for (size_t i = 1; i < st->n_tensors; i++) {
        if (strcmp(st->by_name[i - 1]->name, st->by_name[i]->name) == 0) {
            return status_fail(err, GPT2C_E_FORMAT, "%s: tensor %s stands there twice",
                               st->file.path, st->by_name[i]->name);
        }
    }
    return GPT2C_OK;
}

static gpt2c_status parse(struct safetensors *st, gpt2c_error *err)
{
    const struct mapfile *file = &st->file;
    uint64_t header_bytes;
    if (file->n_bytes < sizeof header_bytes) {
        return status_fail(err, GPT2C_E_FORMAT, "%s: expected at least 8 bytes, found %zu",
                           file->path, file->n_bytes);
    }
    memcpy(&header_bytes, file->data, sizeof header_bytes);
    if (header_bytes > MAX_HEADER_BYTES) {
        return status_fail(err, GPT2C_E_FORMAT,
                           "%s: expected a header of at most %llu bytes, found %llu", file->path,
                           (unsigned long long)MAX_HEADER_BYTES, (unsigned long long)header_bytes);
    }
    if (header_bytes > file->n_bytes - sizeof header_bytes) {
        return status_fail(err, GPT2C_E_FORMAT, "%s: expected a header of %llu bytes, found %zu",
                           file->path, (unsigned long long)header_bytes,
                           file->n_bytes - sizeof header_bytes);
    }
    const struct json_limits limits = {.max_values = MAX_JSON_VALUES, .whole_numbers = true};
    cJSON *root = NULL;
    gpt2c_status code = json_parse(&root, file->path, file->data + sizeof header_bytes,
                                   (size_t)header_bytes, &limits, err);
    if (!code) {
        code = read_tree(st, root, err);
    }
    cJSON_Delete(root);
    if (!code) {
        code = sort_names(st, err);
    }
    if (!code) {
        code = check_layout(st, sizeof header_bytes + header_bytes, err);
    }
    return code ? code : sort_names(st, err); /* the layout's order moved the tensors */
}

gpt2c_status safetensors_parse(struct safetensors *out, struct mapfile *file, gpt2c_error *err)
{
    *out = (struct safetensors){.file = *file};
    *file = (struct mapfile){0};
    const gpt2c_status code = parse(out, err);
    if (code) {
        safetensors_close(out);
    }
    return code;
}

gpt2c_status safetensors_open(struct safetensors *out, const char *path, bool use_mmap,
                              gpt2c_error *err)
{
    struct mapfile file;
    *out = (struct safetensors){0};
    const gpt2c_status code = mapfile_open(&file, path, use_mmap, 0, err);
    return code ? code : safetensors_parse(out, &file, err);
}

void safetensors_close(struct safetensors *st)
{
    for (size_t i = 0; i < st->n_tensors; i++) {
        free(st->tensors[i].name);
    }
    free(st->tensors);
    free(st->by_name);
    free(st->format);
    mapfile_close(&st->file);
    *st = (struct safetensors){0};
}

struct tensor *safetensors_find(const struct safetensors *st, const char *name)
{
    size_t low = 0;
    size_t high = st->n_tensors;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const int order = strcmp(name, st->by_name[mid]->name);
        if (order == 0) {
            return st->by_name[mid];
        }
        if (order < 0) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    return NULL;
}
