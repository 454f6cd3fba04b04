/* Matrices elsewhere than in the file's mapping, made once at opening: in another type (bfloat16 or
 * int8 panels), or as they are but on huge pages. Two threads read a mapping of 4 KiB pages at 22
 * GB/s where they read huge pages at 28 (Zen 4 in a virtual machine), and decode does nothing but
 * read. The work is a fixed grid of tasks; the file is read once, in order, its pages given back.
 */
#include "model_store.h"
#include "status.h"
#include "team.h"
#include "weights.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define COPY_GRAIN ((size_t)1 << 20) /* bytes of a task that copies */

struct job { /* one matrix */
    struct matrix src;
    void *w;
    float *scale;
    const struct mapfile *file; /* that holds src */
    size_t n_bytes;             /* to copy as they are; 0: to convert */
    int32_t first_task;
    atomic_bool not_finite;
};

struct pack {
    struct job *jobs; /* [n_jobs] */
    int32_t n_jobs;
    int32_t n_tasks;
    gpt2c_dtype dtype;
    bool huge_pages;
};

/* Offset of the matrix in its file. */
static size_t offset_of(const struct job *job)
{
    return (size_t)((const unsigned char *)job->src.w - job->file->data);
}

static void copy(const struct job *job, int32_t task)
{
    const size_t begin = (size_t)task * COPY_GRAIN;
    const size_t left = job->n_bytes - begin;
    const size_t n = left < COPY_GRAIN ? left : COPY_GRAIN;
    memcpy((unsigned char *)job->w + begin, (const unsigned char *)job->src.w + begin, n);
    mapfile_release(job->file, offset_of(job) + begin, offset_of(job) + begin + n);
}

static void convert(const struct pack *p, struct job *job, int32_t task)
{
    const struct matrix *src = &job->src;
    const int32_t r0 = task * WEIGHTS_ROW_GRAIN;
    const int32_t n_rows = weights_rows(src);
    const int32_t r1 = n_rows - r0 < WEIGHTS_ROW_GRAIN ? n_rows : r0 + WEIGHTS_ROW_GRAIN;
    const size_t cols = (size_t)weights_cols(src);
    if (p->dtype == GPT2C_DTYPE_INT8) {
        if (!weights_quantize(job->w, job->scale, src, r0, r1)) {
            atomic_store(&job->not_finite, true);
        }
    } else {
        const size_t first = (size_t)r0 * cols;
        weights_to_bf16((uint16_t *)job->w + first, src->type, src->w, first,
                        (size_t)(r1 - r0) * cols);
    }
    const size_t row_bytes = cols * weights_elem_bytes(src->type);
    const size_t begin = offset_of(job);
    mapfile_release(job->file, begin + (size_t)r0 * row_bytes, begin + (size_t)r1 * row_bytes);
}

static void run_task(void *arg, int32_t task, int32_t member)
{
    struct pack *p = arg;
    int32_t i = p->n_jobs - 1;
    (void)member;
    while (p->jobs[i].first_task > task) {
        i--;
    }
    struct job *job = &p->jobs[i];
    if (job->n_bytes > 0) {
        copy(job, task - job->first_task);
    } else {
        convert(p, job, task - job->first_task);
    }
}

static void run_member(struct team *tm, int32_t member, void *arg)
{
    team_for(tm, member, ((struct pack *)arg)->n_tasks, run_task, arg);
}

static bool wants_conversion(const gpt2c_model *m, const struct matrix *w)
{
    return (m->dtype == GPT2C_DTYPE_BF16 && w->type != W_BF16) ||
           (m->dtype == GPT2C_DTYPE_INT8 && w->type != W_I8);
}

static const struct mapfile *file_of(const struct model_store *store, const void *w)
{
    const uintptr_t at = (uintptr_t)w;
    size_t i = 0;
    while (i + 1 < store->n_shards) {
        const struct mapfile *file = &store->shards[i].file;
        if (at >= (uintptr_t)file->data && at - (uintptr_t)file->data < file->n_bytes) {
            break;
        }
        i++;
    }
    return &store->shards[i].file;
}

static bool wants_packing(const gpt2c_model *m, const struct pack *p, const struct matrix *w)
{
    return wants_conversion(m, w) || (p->huge_pages && file_of(m->store, w->w)->mapped);
}

static size_t stored_bytes(const struct matrix *w)
{
    return w->type == W_I8 ? weights_i8_bytes(w)
                           : (size_t)w->n_in * (size_t)w->n_out * weights_elem_bytes(w->type);
}

/* Lists the jobs and places their results; twice, to measure and to carve. */
static void plan(gpt2c_model *m, struct pack *p)
{
    const struct matrix *w;
    p->n_jobs = 0;
    p->n_tasks = 0;
    for (size_t i = 0; (w = model_matrix(m, i)) != NULL; i++) {
        if (!wants_packing(m, p, w)) {
            continue;
        }
        struct job *job = &p->jobs[p->n_jobs++];
        job->src = *w;
        job->file = file_of(m->store, w->w);
        job->first_task = p->n_tasks;
        if (!wants_conversion(m, w)) {
            job->n_bytes = stored_bytes(w);
            job->w = arena_carve(&m->store->packed, job->n_bytes, 1);
            p->n_tasks += (int32_t)((job->n_bytes + COPY_GRAIN - 1) / COPY_GRAIN);
            continue;
        }
        p->n_tasks += (weights_rows(w) + WEIGHTS_ROW_GRAIN - 1) / WEIGHTS_ROW_GRAIN;
        if (m->dtype == GPT2C_DTYPE_INT8) {
            job->w = arena_carve(&m->store->packed, weights_i8_bytes(w), 1);
            job->scale = arena_carve(&m->store->packed, weights_i8_scales(w), sizeof *job->scale);
        } else {
            job->w = arena_carve(&m->store->packed, (size_t)w->n_in * (size_t)w->n_out,
                                 sizeof(uint16_t));
        }
    }
}

/* Points the matrices at their packed copies, in the order of the jobs. */
static gpt2c_status adopt(gpt2c_model *m, const struct pack *p, gpt2c_error *err)
{
    struct matrix *w;
    int32_t n = 0;
    for (size_t i = 0; (w = model_matrix(m, i)) != NULL; i++) {
        if (!wants_packing(m, p, w)) {
            continue;
        }
        const struct job *job = &p->jobs[n++];
        if (job->n_bytes > 0) {
            w->w = job->w;
            continue;
        }
        if (atomic_load(&job->not_finite)) {
            char name[64];
            return status_fail(err, GPT2C_E_NUMERIC,
                               "%s: tensor %s.weight: NaN or infinity cannot be int8",
                               job->file->path, model_matrix_name(m, i, name, sizeof name));
        }
        w->w = job->w;
        w->scale = job->scale;
        w->type = m->dtype == GPT2C_DTYPE_INT8 ? W_I8 : W_BF16;
    }
    if (m->tied) {
        m->head = m->wte;
    }
    return GPT2C_OK;
}

gpt2c_status model_pack(gpt2c_model *m, const gpt2c_model_params *params, gpt2c_error *err)
{
    const size_t max_jobs = 4 * (size_t)m->hp.n_layer + 2;
    struct pack p = {.dtype = m->dtype, .huge_pages = params->huge_pages};
    p.jobs = calloc(max_jobs, sizeof *p.jobs);
    if (!p.jobs) {
        return status_fail(err, GPT2C_E_NOMEM, "out of memory for %zu matrices", max_jobs);
    }
    plan(m, &p);
    gpt2c_status st = GPT2C_OK;
    if (p.n_jobs > 0) {
        st = arena_allocate(&m->store->packed, gpt2c_dtype_name(m->dtype), err);
        if (!st) {
            plan(m, &p);
            team_run(params->n_threads > 0 ? params->n_threads : gpt2c_cpu_threads(), run_member,
                     &p);
            st = adopt(m, &p, err);
        }
    }
    free(p.jobs);
    return st;
}
