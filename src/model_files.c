/* From a path to checked tensors: which files make up the model, config.json, and the index of
 * shards. Names inside files are never used as paths, but for shard names without a separator. */
#include "json.h"
#include "model_store.h"
#include "status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_SHARDS 1024
#define MAX_INDEX_BYTES ((size_t)32 << 20)
#define MAX_INDEX_VALUES ((size_t)70000) /* 65,536 tensors and some metadata */

void model_note(const gpt2c_model_params *params, const char *fmt, ...)
{
    if (!params->log) {
        return;
    }
    gpt2c_error line; /* status_fail escapes control bytes; the names come from files */
    char text[sizeof line.msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    status_fail(&line, GPT2C_OK, "%s", text);
    params->log(params->log_user, line.msg);
}

static bool has_suffix(const char *text, const char *suffix)
{
    const size_t n = strlen(text);
    const size_t n_suffix = strlen(suffix);
    return n >= n_suffix && strcmp(text + n - n_suffix, suffix) == 0;
}

static char *joined(const char *folder, const char *name)
{
    const size_t n = strlen(folder) + strlen(name) + 1;
    char *path = malloc(n);
    if (path) {
        snprintf(path, n, "%s%s", folder, name);
    }
    return path;
}

static void paths_free(struct model_paths *p)
{
    free(p->config);
    free(p->weights);
    free(p->folder);
    *p = (struct model_paths){0};
}

/* The folder of a file: all up to its last slash. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strndup(path, slash ? (size_t)(slash - path) + 1 : 0);
}

static gpt2c_status find_paths(struct model_paths *p, const char *path, gpt2c_error *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return status_fail(err, GPT2C_E_IO, "%s: %s", path, strerror(errno));
    }
    if (!S_ISDIR(st.st_mode)) {
        p->folder = folder_of(path);
        p->weights = strdup(path);
        p->sharded = has_suffix(path, ".index.json");
    } else {
        p->folder = joined(path, has_suffix(path, "/") ? "" : "/");
        p->weights = p->folder ? joined(p->folder, "model.safetensors") : NULL;
        if (p->weights && stat(p->weights, &st) != 0 && errno == ENOENT) {
            free(p->weights);
            p->weights = joined(p->folder, "model.safetensors.index.json");
            p->sharded = true;
            if (p->weights && stat(p->weights, &st) != 0 && errno == ENOENT) {
                return status_fail(
                    err, GPT2C_E_FORMAT,
                    "%s: expected model.safetensors or model.safetensors.index.json, "
                    "found neither",
                    path);
            }
        }
    }
    p->config = p->folder ? joined(p->folder, "config.json") : NULL;
    if (!p->config || !p->weights) {
        return status_fail(err, GPT2C_E_NOMEM, "%s: out of memory", path);
    }
    return GPT2C_OK;
}

static gpt2c_status read_config(struct config *config, const char *path,
                                const gpt2c_model_params *params, gpt2c_error *err)
{
    struct mapfile file;
    gpt2c_status st = mapfile_open(&file, path, false, CONFIG_MAX_BYTES, err);
    if (st) {
        return st;
    }
    st = config_read(config, path, file.data, file.n_bytes, params->log, params->log_user, err);
    mapfile_close(&file);
    return st;
}

/* ---- shards ---------------------------------------------------------------------------------- */

static gpt2c_status check_shard_name(const cJSON *item, const char *index, gpt2c_error *err)
{
    const char *name = cJSON_IsString(item) ? item->valuestring : "";
    if (!has_suffix(name, ".safetensors") || strchr(name, '/') || strchr(name, '\\')) {
        return status_fail(err, GPT2C_E_FORMAT,
                           "%s: %.64s: expected the name of a .safetensors file beside it, found "
                           "\"%.64s\"",
                           index, item->string, name);
    }
    return GPT2C_OK;
}

/* The shard of this file name, opened when it is new. */
static gpt2c_status shard_of(struct model_store *store, const struct model_paths *paths,
                             const char *name, const gpt2c_model_params *params,
                             struct safetensors **out, gpt2c_error *err)
{
    const size_t n_folder = strlen(paths->folder);
    for (size_t i = store->n_shards; i-- > 0;) { /* entries of a shard mostly follow each other */
        if (strcmp(store->shards[i].file.path + n_folder, name) == 0) {
            *out = &store->shards[i];
            return GPT2C_OK;
        }
    }
    if (store->n_shards == MAX_SHARDS) {
        return status_fail(err, GPT2C_E_FORMAT, "%s: expected at most %d shards", paths->weights,
                           MAX_SHARDS);
    }
    char *path = joined(paths->folder, name);
    if (!path) {
        return status_fail(err, GPT2C_E_NOMEM, "%s: out of memory", paths->weights);
    }
    *out = &store->shards[store->n_shards];
    const gpt2c_status st = safetensors_open(*out, path, !params->no_mmap, err);
    free(path);
    store->n_shards += !st;
    return st;
}

/* The index and the shards must name the same tensors: as many, and each where the index says. */
static gpt2c_status open_shards(struct model_store *store, const struct model_paths *paths,
                                const cJSON *map, const gpt2c_model_params *params,
                                gpt2c_error *err)
{
    const cJSON *item;
    size_t n_listed = 0;
    size_t n_found = 0;
    cJSON_ArrayForEach (item, map) {
        struct safetensors *shard = NULL;
        gpt2c_status st = check_shard_name(item, paths->weights, err);
        if (!st) {
            st = shard_of(store, paths, item->valuestring, params, &shard, err);
        }
        if (st) {
            return st;
        }
        struct tensor *t = safetensors_find(shard, item->string);
        if (!t) {
            return status_fail(err, GPT2C_E_FORMAT, "%s: tensor %.64s: expected in %s, not found",
                               paths->weights, item->string, shard->file.path);
        }
        if (t->used) { /* until binding begins: listed */
            return status_fail(err, GPT2C_E_FORMAT, "%s: tensor %.64s stands there twice",
                               paths->weights, item->string);
        }
        t->used = true;
        n_listed++;
    }
    for (size_t i = 0; i < store->n_shards; i++) {
        n_found += store->shards[i].n_tensors;
        for (size_t k = 0; k < store->shards[i].n_tensors; k++) {
            store->shards[i].tensors[k].used = false;
        }
    }
    if (n_found != n_listed) {
        return status_fail(err, GPT2C_E_FORMAT, "%s: expected %zu tensors in the shards, found %zu",
                           paths->weights, n_listed, n_found);
    }
    return GPT2C_OK;
}

static gpt2c_status open_index(struct model_store *store, const struct model_paths *paths,
                               const gpt2c_model_params *params, gpt2c_error *err)
{
    const struct json_limits limits = {.max_values = MAX_INDEX_VALUES};
    struct mapfile file;
    cJSON *root = NULL;
    const cJSON *map = NULL;
    const cJSON *item;
    gpt2c_status st = mapfile_open(&file, paths->weights, false, MAX_INDEX_BYTES, err);
    if (st) {
        return st;
    }
    st = json_parse(&root, paths->weights, file.data, file.n_bytes, &limits, err);
    mapfile_close(&file);
    if (st) {
        return st;
    }
    if (cJSON_IsObject(root)) {
        cJSON_ArrayForEach (item, root) {
            map = strcmp(item->string, "weight_map") == 0 ? item : map;
        }
    }
    store->shards = calloc(MAX_SHARDS, sizeof *store->shards);
    if (!store->shards) {
        st = status_fail(err, GPT2C_E_NOMEM, "%s: out of memory", paths->weights);
    } else if (!map || !cJSON_IsObject(map)) {
        st = status_fail(err, GPT2C_E_FORMAT, "%s: weight_map: expected an object", paths->weights);
    } else {
        st = open_shards(store, paths, map, params, err);
    }
    cJSON_Delete(root);
    return st;
}

static gpt2c_status open_single(struct model_store *store, const struct model_paths *paths,
                                const gpt2c_model_params *params, gpt2c_error *err)
{
    store->shards = calloc(1, sizeof *store->shards);
    if (!store->shards) {
        return status_fail(err, GPT2C_E_NOMEM, "%s: out of memory", paths->weights);
    }
    const gpt2c_status st = safetensors_open(store->shards, paths->weights, !params->no_mmap, err);
    store->n_shards = !st;
    return st;
}

gpt2c_status model_open_files(gpt2c_model *m, struct config *config, const char *path,
                              const gpt2c_model_params *params, gpt2c_error *err)
{
    struct model_paths paths = {0};
    gpt2c_status st = find_paths(&paths, path, err);
    if (!st) {
        st = read_config(config, paths.config, params, err);
    }
    if (!st) {
        m->hp = config->hp;
        st = (paths.sharded ? open_index : open_single)(m->store, &paths, params, err);
    }
    paths_free(&paths);
    return st;
}

struct tensor *model_find_tensor(const struct model_store *store, const char *name,
                                 const struct safetensors **shard)
{
    for (size_t i = 0; i < store->n_shards; i++) {
        struct tensor *t = safetensors_find(&store->shards[i], name);
        if (t) {
            *shard = &store->shards[i];
            return t;
        }
    }
    return NULL;
}
