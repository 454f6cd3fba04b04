/* gpt2c bench: prefill, decode and batched decode apart, each repeated after a warm-up. Token ids
 * are fixed pseudo-random numbers: the speed does not depend on them, tokenizing and sampling are
 * not part of it. */
#include "commands.h"
#include "jsonout.h"
#include "outfile.h"
#include "probe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define MAX_LIST 16   /* values of one sweep */
#define MAX_BATCH 256 /* sequences */

enum format { FORMAT_MD, FORMAT_CSV, FORMAT_JSON, FORMAT_JSONL };
static const char *const format_names[] = {"md", "csv", "json", "jsonl", NULL};

struct settings {
    int32_t prefill[MAX_LIST], depth[MAX_LIST], batch[MAX_LIST]; /* what to sweep */
    int32_t n_prefill, n_depth, n_batch;                         /* how many of each */
    int32_t n_new; /* tokens of one decode measurement */
    int32_t n_rep;
};

struct measurement {
    char metric[32];      /* "prefill512", "decode@16", "batch8@16" */
    double *tokens_per_s; /* [n_rep], sorted */
    double median_ms;     /* prefill: to the first token; decode: a token of each sequence */
    double gb_s;          /* decode: weights and cache read; 0: not stated */
    double gflop_s;       /* prefill: products; 0: not stated */
};

struct bench {
    struct settings set;
    const struct cli_common *common;
    gpt2c_model *model;
    double load_ms;
    struct probe probe;
    bool probed;
    gpt2c_token *tok; /* [n_ctx] */
    struct measurement *m;
    size_t n_m;
};

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *sorted, int32_t n)
{
    return n % 2 ? sorted[n / 2] : 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]);
}

static cJSON *rounded(double x)
{
    return jsonout_double(round(x * 1000) / 1000);
}

static double peak_rss_mib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024; /* Linux counts in KiB */
}

/* ---- what one evaluation costs --------------------------------------------------------------- */

/* Multiplications and additions of a prefill of n tokens, logits of the last one. */
static double prefill_flop(const gpt2c_hparams *hp, int32_t n)
{
    const double d = hp->n_embd;
    const double linear = 2 * (4 * d * d + 2 * d * hp->n_ff) * n;
    const double attention = 2 * 2 * d * 0.5 * (double)n * (n + 1);
    return hp->n_layer * (linear + attention) + 2 * d * hp->n_vocab;
}

/* Bytes read to decode one token of n_seq sequences at a mean position. */
static double decode_bytes(const gpt2c_model *model, int32_t n_seq, double mean_pos)
{
    const gpt2c_hparams *hp = gpt2c_model_hparams(model);
    const double cache = 2.0 * hp->n_layer * hp->n_embd * sizeof(float) * mean_pos;
    return (double)gpt2c_model_decode_bytes(model) + n_seq * cache;
}

/* ---- measuring ------------------------------------------------------------------------------- */

static struct measurement *new_measurement(struct bench *b)
{
    b->m = cli_realloc(b->m, b->n_m + 1, sizeof *b->m);
    struct measurement *m = &b->m[b->n_m++];
    *m = (struct measurement){0};
    m->tokens_per_s = cli_alloc((size_t)b->set.n_rep, sizeof *m->tokens_per_s);
    return m;
}

static int measure_prefill(struct bench *b, int32_t n)
{
    gpt2c_error err;
    gpt2c_session *s = NULL;
    const gpt2c_session_params params = {.n_ctx = n, .n_threads = b->common->n_threads};
    if (gpt2c_session_create(&s, b->model, &params, &err)) {
        return cli_fail_status(&err);
    }
    int code = EXIT_OK;
    struct measurement *m = new_measurement(b);
    gpt2c_session_set_cancel(s, cli_cancel, NULL);
    snprintf(m->metric, sizeof m->metric, "prefill%d", (int)n);
    for (int32_t r = -1; r < b->set.n_rep; r++) { /* -1: warm-up */
        const double begin = cli_seconds();
        if (gpt2c_session_rewind(s, 0, 0, &err) || gpt2c_session_eval(s, b->tok, n, &err)) {
            code = cli_fail_status(&err);
            goto out;
        }
        if (r >= 0) {
            m->tokens_per_s[r] = n / (cli_seconds() - begin);
        }
    }
    qsort(m->tokens_per_s, (size_t)b->set.n_rep, sizeof(double), compare_doubles);
    const double t = n / median(m->tokens_per_s, b->set.n_rep);
    m->median_ms = 1e3 * t;
    m->gflop_s = prefill_flop(gpt2c_model_hparams(b->model), n) / t / 1e9;
out:
    gpt2c_session_free(&s);
    return code;
}

/* Decodes n tokens of each of n_seq sequences from position depth on. */
static gpt2c_status decode(gpt2c_session *s, const struct bench *b, int32_t n_seq, int32_t depth,
                           int32_t n, gpt2c_error *err)
{
    gpt2c_span span[MAX_BATCH];
    for (int32_t is = 0; is < n_seq; is++) {
        const gpt2c_status st = gpt2c_session_rewind(s, is, depth, err);
        if (st) {
            return st;
        }
    }
    for (int32_t i = 0; i < n; i++) {
        for (int32_t is = 0; is < n_seq; is++) {
            span[is] =
                (gpt2c_span){.seq = is, .tok = &b->tok[depth + i], .n_tok = 1, .n_logits = 1};
        }
        const gpt2c_status st = gpt2c_session_eval_batch(s, span, n_seq, err);
        if (st) {
            return st;
        }
    }
    return GPT2C_OK;
}

static int measure_decode(struct bench *b, int32_t n_seq, int32_t depth)
{
    gpt2c_error err;
    gpt2c_session *s = NULL;
    const int32_t n = b->set.n_new;
    const gpt2c_session_params params = {
        .n_seq = n_seq, .n_ctx = depth + n, .n_threads = b->common->n_threads};
    if (gpt2c_session_create(&s, b->model, &params, &err)) {
        return cli_fail_status(&err);
    }
    int code = EXIT_OK;
    struct measurement *m = new_measurement(b);
    gpt2c_session_set_cancel(s, cli_cancel, NULL);
    if (n_seq == 1) {
        snprintf(m->metric, sizeof m->metric, "decode@%d", (int)depth);
    } else {
        snprintf(m->metric, sizeof m->metric, "batch%d@%d", (int)n_seq, (int)depth);
    }
    gpt2c_status st = gpt2c_session_eval(s, b->tok, depth, &err);
    for (int32_t is = 1; !st && is < n_seq; is++) {
        st = gpt2c_session_copy(s, 0, is, &err);
    }
    if (!st) {
        st = decode(s, b, n_seq, depth, n < 8 ? n : 8, &err); /* warm-up */
    }
    for (int32_t r = 0; !st && r < b->set.n_rep; r++) {
        const double begin = cli_seconds();
        st = decode(s, b, n_seq, depth, n, &err);
        m->tokens_per_s[r] = (double)n * n_seq / (cli_seconds() - begin);
    }
    if (st) {
        code = cli_fail_status(&err);
        goto out;
    }
    qsort(m->tokens_per_s, (size_t)b->set.n_rep, sizeof(double), compare_doubles);
    const double t = n_seq / median(m->tokens_per_s, b->set.n_rep); /* of one pass */
    m->median_ms = 1e3 * t;
    m->gb_s = decode_bytes(b->model, n_seq, depth + 0.5 * n) / t / 1e9;
out:
    gpt2c_session_free(&s);
    return code;
}

/* ---- printing -------------------------------------------------------------------------------- */

static double share(double value, double limit)
{
    return limit > 0 ? 100 * value / limit : 0;
}

static void print_md(FILE *f, const struct bench *b, int32_t n_threads)
{
    const gpt2c_hparams *hp = gpt2c_model_hparams(b->model);
    fprintf(f, "gpt2c %s, %s, %s kernels, %d thread%s, %d layers x %d, %.1f M parameters\n",
            gpt2c_version(), gpt2c_dtype_name(gpt2c_model_dtype(b->model)),
            gpt2c_cpu_name(gpt2c_model_cpu(b->model)), (int)n_threads, n_threads == 1 ? "" : "s",
            (int)hp->n_layer, (int)hp->n_embd, (double)gpt2c_model_n_params(b->model) / 1e6);
    if (b->probed) {
        fprintf(f, "machine: reads %.1f GB/s, peak %.0f GFLOP/s in this dtype\n",
                b->probe.read_gb_s, b->probe.peak_gflop_s);
    }
    fprintf(f, "load %.1f ms, peak RSS %.0f MiB\n\n", b->load_ms, peak_rss_mib());
    fprintf(f, "| metric       | tokens/s |      min |      max |       ms |  GB/s | of limit | "
               "GFLOP/s | of peak |\n");
    fprintf(f, "|--------------|---------:|---------:|---------:|---------:|------:|---------:|"
               "--------:|--------:|\n");
    for (size_t i = 0; i < b->n_m; i++) {
        const struct measurement *m = &b->m[i];
        char memory[32] = "      |         ";
        char compute[32] = "        |        ";
        if (m->gb_s > 0) {
            snprintf(memory, sizeof memory, "%5.1f | %7.0f%%", m->gb_s,
                     share(m->gb_s, b->probe.read_gb_s));
        }
        if (m->gflop_s > 0) {
            snprintf(compute, sizeof compute, "%7.0f | %6.0f%%", m->gflop_s,
                     share(m->gflop_s, b->probe.peak_gflop_s));
        }
        fprintf(f, "| %-12s | %8.1f | %8.1f | %8.1f | %8.2f | %-16s | %-17s |\n", m->metric,
                median(m->tokens_per_s, b->set.n_rep), m->tokens_per_s[0],
                m->tokens_per_s[b->set.n_rep - 1], m->median_ms, memory, compute);
    }
}

static void print_csv(FILE *f, const struct bench *b, int32_t n_threads)
{
    fprintf(f, "metric,dtype,kernels,threads,median,min,max,ms,gb_s,gflop_s,load_ms,rss_mib\n");
    for (size_t i = 0; i < b->n_m; i++) {
        const struct measurement *m = &b->m[i];
        fprintf(f, "%s,%s,%s,%d,%.2f,%.2f,%.2f,%.3f,%.2f,%.2f,%.2f,%.1f\n", m->metric,
                gpt2c_dtype_name(gpt2c_model_dtype(b->model)),
                gpt2c_cpu_name(gpt2c_model_cpu(b->model)), (int)n_threads,
                median(m->tokens_per_s, b->set.n_rep), m->tokens_per_s[0],
                m->tokens_per_s[b->set.n_rep - 1], m->median_ms, m->gb_s, m->gflop_s, b->load_ms,
                peak_rss_mib());
    }
}

/* One measurement as an object of document; vals are the repetitions, slowest first. */
static void fill_json(cJSON *o, const struct bench *b, const struct measurement *m,
                      int32_t n_threads)
{
    cJSON_AddStringToObject(o, "engine", "gpt2c");
    cJSON_AddStringToObject(o, "ver", gpt2c_version());
    cJSON_AddStringToObject(o, "dtype", gpt2c_dtype_name(gpt2c_model_dtype(b->model)));
    cJSON_AddStringToObject(o, "kernels", gpt2c_cpu_name(gpt2c_model_cpu(b->model)));
    cJSON_AddNumberToObject(o, "threads", n_threads);
    cJSON_AddStringToObject(o, "metric", m->metric);
    cJSON *vals = cJSON_AddArrayToObject(o, "vals");
    for (int32_t r = 0; r < b->set.n_rep; r++) {
        cJSON_AddItemToArray(vals, rounded(m->tokens_per_s[r]));
    }
    cJSON_AddItemToObject(o, "median", rounded(median(m->tokens_per_s, b->set.n_rep)));
    cJSON_AddItemToObject(o, "ms", rounded(m->median_ms));
    if (m->gb_s > 0) {
        cJSON_AddItemToObject(o, "gb_s", rounded(m->gb_s));
    }
    if (m->gflop_s > 0) {
        cJSON_AddItemToObject(o, "gflop_s", rounded(m->gflop_s));
    }
    cJSON_AddItemToObject(o, "rss_mib", jsonout_int((int64_t)peak_rss_mib()));
}

/* A line for each measurement, in the form of the peers' scripts. */
static int print_jsonl(FILE *f, const struct bench *b, int32_t n_threads)
{
    int code = EXIT_OK;
    for (size_t i = 0; i < b->n_m && code == EXIT_OK; i++) {
        cJSON *o = cJSON_CreateObject();
        fill_json(o, b, &b->m[i], n_threads);
        code = jsonout_write(o, f);
    }
    return code;
}

static int print_json(FILE *f, const struct bench *b, int32_t n_threads)
{
    cJSON *o = jsonout_document();
    cJSON_AddItemToObject(o, "load_ms", rounded(b->load_ms));
    if (b->probed) {
        cJSON_AddItemToObject(o, "machine_gb_s", rounded(b->probe.read_gb_s));
        cJSON_AddItemToObject(o, "machine_gflop_s", rounded(b->probe.peak_gflop_s));
    }
    cJSON *list = cJSON_AddArrayToObject(o, "measurements");
    for (size_t i = 0; i < b->n_m; i++) {
        cJSON *m = cJSON_CreateObject();
        cJSON_AddItemToArray(list, m);
        fill_json(m, b, &b->m[i], n_threads);
    }
    return jsonout_write(o, f);
}

/* ---- command --------------------------------------------------------------------------------- */

/* "8,16,32" into list; every number within [1, max]. Returns an exit code. */
static int parse_numbers(const char *text, const char *option, int32_t max, int32_t *list,
                         int32_t *n)
{
    char *copy = cli_alloc(strlen(text) + 1, 1);
    memcpy(copy, text, strlen(text));
    int code = EXIT_OK;
    *n = 0;
    char *rest = copy;
    for (char *item; code == EXIT_OK && (item = strsep(&rest, ","));) {
        int64_t v;
        if (!cli_parse_int(item, &v) || v < 1 || v > max) {
            code =
                cli_fail(EXIT_USAGE, "%s %s: numbers from 1 to %d, separated by commas, expected",
                         option, text, (int)max);
        } else if (*n == MAX_LIST) {
            code = cli_fail(EXIT_USAGE, "%s %s: at most %d values", option, text, MAX_LIST);
        } else {
            list[(*n)++] = (int32_t)v;
        }
    }
    free(copy);
    return code;
}

static int measure_all(struct bench *b)
{
    const int32_t n_ctx = gpt2c_model_hparams(b->model)->n_ctx;
    const struct settings *set = &b->set;
    for (int32_t i = 0; i < set->n_prefill; i++) {
        if (set->prefill[i] > n_ctx) {
            return cli_fail(EXIT_RUNTIME, "-p %d: the model has %d positions", (int)set->prefill[i],
                            (int)n_ctx);
        }
    }
    for (int32_t i = 0; i < set->n_depth; i++) {
        if (set->depth[i] > n_ctx - set->n_new) {
            return cli_fail(EXIT_RUNTIME, "--depth %d and -n %d: the model has %d positions",
                            (int)set->depth[i], (int)set->n_new, (int)n_ctx);
        }
    }
    b->tok = cli_alloc((size_t)n_ctx, sizeof *b->tok);
    uint64_t state = 1;
    for (int32_t i = 0; i < n_ctx; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        b->tok[i] = (gpt2c_token)((state >> 33) % (uint64_t)gpt2c_model_hparams(b->model)->n_vocab);
    }
    int code = EXIT_OK;
    for (int32_t i = 0; i < set->n_prefill && code == EXIT_OK; i++) {
        code = measure_prefill(b, set->prefill[i]);
    }
    for (int32_t i = 0; set->n_new > 0 && i < set->n_depth && code == EXIT_OK; i++) {
        code = measure_decode(b, 1, set->depth[i]);
    }
    for (int32_t i = 0; set->n_new > 0 && i < set->n_batch && code == EXIT_OK; i++) {
        code = measure_decode(b, set->batch[i], set->depth[0]);
    }
    return code;
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
    const char *prefill = "512";
    const char *depth = "16";
    const char *batch = NULL;
    int format = FORMAT_MD;
    struct cli_common common = {0};
    struct bench b = {.set = {.n_new = 128, .n_rep = 5}, .common = &common};
    const struct cli_option options[] = {
        {'p', "prefill", "LIST", CLI_STRING, &prefill, "prompt lengths to prefill (512)", 0, 0,
         NULL},
        {'n', "n-new", "N", CLI_INT, &b.set.n_new,
         "tokens to decode in a repetition, 0: none (128)", 0, 1 << 20, NULL},
        {'d', "depth", "LIST", CLI_STRING, &depth, "positions to decode from (16)", 0, 0, NULL},
        {'b', "batch", "LIST", CLI_STRING, &batch, "numbers of sequences to decode at once", 0, 0,
         NULL},
        {'r', "repetitions", "N", CLI_INT, &b.set.n_rep, "repetitions, after a warm-up (5)", 1,
         1000, NULL},
        {0, "format", "FORMAT", CLI_CHOICE, &format, "form of the result (md)", 0, 0, format_names},
        {0}};
    int code;
    if (!cli_parse(cmd, options, &common, argc, argv, NULL, &code)) {
        return code;
    }
    if (common.json) {
        format = FORMAT_JSON;
    }
    const bool no_prefill = strcmp(prefill, "0") == 0;
    if ((!no_prefill &&
         (code = parse_numbers(prefill, "-p", 1 << 20, b.set.prefill, &b.set.n_prefill))) ||
        (code = parse_numbers(depth, "--depth", 1 << 20, b.set.depth, &b.set.n_depth)) ||
        (batch &&
         (code = parse_numbers(batch, "--batch", MAX_BATCH, b.set.batch, &b.set.n_batch)))) {
        return code;
    }
    struct outfile out = {0};
    code = outfile_open(&out, common.output);
    if (code) {
        return code;
    }
    common.many_tokens = (int64_t)b.set.n_new * b.set.n_rep >= CLI_MANY_TOKENS; /* as generate */
    const double begin = cli_seconds();
    code = cli_open(&common, &b.model, NULL);
    b.load_ms = 1e3 * (cli_seconds() - begin);
    if (code) {
        goto done;
    }
    const int32_t n_threads = common.n_threads ? common.n_threads : gpt2c_cpu_threads();
    if (format == FORMAT_MD || format == FORMAT_JSON) {
        b.probed = probe_machine(n_threads, gpt2c_model_cpu(b.model), gpt2c_model_dtype(b.model),
                                 &b.probe);
    }
    code = measure_all(&b);
    if (code) {
        goto done;
    }
    switch (format) {
    case FORMAT_MD:
        print_md(out.f, &b, n_threads);
        break;
    case FORMAT_CSV:
        print_csv(out.f, &b, n_threads);
        break;
    case FORMAT_JSON:
        code = print_json(out.f, &b, n_threads);
        break;
    case FORMAT_JSONL:
        code = print_jsonl(out.f, &b, n_threads);
        break;
    }
    if (code == EXIT_OK) {
        code = outfile_commit(&out);
    }
done:
    outfile_discard(&out);
    for (size_t i = 0; i < b.n_m; i++) {
        free(b.m[i].tokens_per_s);
    }
    free(b.m);
    free(b.tok);
    gpt2c_model_close(&b.model);
    return code;
}

const struct cli_command cmd_bench = {
    .name = "bench",
    .summary = "Measure the speed of prefill and decode on this machine.",
    .usage = "gpt2c bench [options]",
    .examples = "gpt2c bench\n"
                "gpt2c bench -p 512,1023 -n 128 --depth 16,512 --batch 8,16 -r 5\n"
                "gpt2c bench --dtype int8 --format jsonl -o speed.jsonl\n",
    .groups = CLI_MODEL | CLI_OUTPUT | CLI_JSON,
    .run = run,
};
