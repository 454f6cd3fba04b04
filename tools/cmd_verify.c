/* gpt2c verify: is this model whole, and is it the one it is taken for? Types and shapes are
 * checked by opening it; here every value, the files' sums and, for the published GPT-2, its own
 * words. */
#include "commands.h"
#include "jsonout.h"
#include "sha256.h"
#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILES 1032 /* shards and the tokenizer's files */

static const struct {
    const char *sha256, *name;
    bool weights; /* whose continuation is known */
} known_files[] = {
    {"248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707", "GPT-2 124M", true},
    {"196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783", "GPT-2 vocabulary", false},
    {"1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5", "GPT-2 merges", false},
};

static const gpt2c_token known_prompt[] = {464, 3290};
static const gpt2c_token known_text[] = {373,  1043, 287,  257,   2214, 1474, 262, 16246, 286,
                                         2688, 290,  2688, 27262, 13,   198,  198, 464,   3290};

#define N(array) (sizeof(array) / sizeof *(array))

struct file {
    char *path;
    char sha256[SHA256_TEXT];
    const char *known; /* NULL: not one we know */
};

struct verify {
    struct cli_common common;
    gpt2c_model *model;
    struct file files[MAX_FILES];
    size_t n_files;
    uint64_t n_values;
    bool published; /* the weights are the published gpt2 */
};

/* ---- values ---------------------------------------------------------------------------------- */

/* The bits of an exponent that is all ones: NaN or infinity. 0: a type without them. */
static uint32_t exponent_bits(const char *dtype, size_t *elem_bytes)
{
    static const struct {
        const char *name;
        size_t elem_bytes;
        uint32_t bits;
    } types[] = {{"F32", 4, 0x7f800000}, {"BF16", 2, 0x7f80}, {"F16", 2, 0x7c00}};
    for (size_t i = 0; i < N(types); i++) {
        if (strcmp(dtype, types[i].name) == 0) {
            *elem_bytes = types[i].elem_bytes;
            return types[i].bits;
        }
    }
    return 0;
}

static int check_values(struct verify *v, const gpt2c_tensor_info *t)
{
    const unsigned char *p = t->data;
    size_t elem_bytes = 1;
    const uint32_t exponent = exponent_bits(t->dtype, &elem_bytes);
    const uint64_t n = exponent ? t->n_bytes / elem_bytes : 0;
    for (uint64_t i = 0; i < n; i++, p += elem_bytes) {
        uint32_t bits = 0;
        memcpy(&bits, p, elem_bytes);
        if ((bits & exponent) == exponent) {
            return cli_fail(EXIT_NUMERIC, "%s: tensor %s: element %llu is not a finite number",
                            t->file, t->name, (unsigned long long)i);
        }
    }
    v->n_values += n;
    return EXIT_OK;
}

/* ---- files ----------------------------------------------------------------------------------- */

static int sum_file(struct verify *v, const char *path, bool optional)
{
    struct file *file = &v->files[v->n_files];
    struct sha256 sum;
    unsigned char part[1 << 16];
    size_t n;
    FILE *f = fopen(path, "rb");
    if (!f) {
        return optional && errno == ENOENT ? EXIT_OK
                                           : cli_fail(EXIT_FILE, "%s: %s", path, strerror(errno));
    }
    sha256_start(&sum);
    while ((n = fread(part, 1, sizeof part, f)) > 0 && !cli_interrupted()) {
        sha256_add(&sum, part, n);
    }
    const bool failed = ferror(f);
    fclose(f);
    if (cli_interrupted()) {
        return cli_fail(EXIT_INTERRUPTED, "interrupted");
    }
    if (failed) {
        return cli_fail(EXIT_FILE, "%s: cannot be read", path);
    }
    sha256_finish(&sum, file->sha256);
    file->path = strdup(path);
    for (size_t i = 0; i < N(known_files); i++) {
        if (strcmp(file->sha256, known_files[i].sha256) == 0) {
            file->known = known_files[i].name;
            v->published |= known_files[i].weights;
        }
    }
    v->n_files++;
    return file->path ? EXIT_OK : cli_fail(EXIT_MEMORY, "out of memory");
}

static int sum_tokenizer(struct verify *v, const char *weights)
{
    static const char *const names[] = {"vocab.json", "merges.txt"};
    const char *slash = strrchr(weights, '/');
    const int n_folder = slash ? (int)(slash - weights) + 1 : 0;
    int code = EXIT_OK;
    for (size_t i = 0; !code && i < N(names); i++) {
        const size_t cap = (size_t)n_folder + strlen(names[i]) + 1;
        char *path = cli_alloc(cap, 1);
        snprintf(path, cap, "%.*s%s", n_folder, weights, names[i]);
        code = sum_file(v, path, true);
        free(path);
    }
    return code;
}

static int check_tensors(struct verify *v)
{
    const char *file = NULL;
    gpt2c_tensor_info t;
    int code = EXIT_OK;
    for (size_t i = 0; !code && !gpt2c_model_tensor(v->model, i, &t, NULL); i++) {
        if (!file || strcmp(file, t.file) != 0) {
            file = t.file;
            code = sum_file(v, file, false);
        }
        if (!code && t.used) {
            code = check_values(v, &t);
        }
        if (cli_interrupted()) {
            code = cli_fail(EXIT_INTERRUPTED, "interrupted");
        }
    }
    return code || !file ? code : sum_tokenizer(v, file);
}

/* ---- the known continuation ------------------------------------------------------------------ */

static gpt2c_token largest(const float *logits, int32_t n)
{
    gpt2c_token best = 0;
    for (int32_t i = 1; i < n; i++) {
        best = logits[i] > logits[best] ? i : best;
    }
    return best;
}

static int check_text(const struct verify *v)
{
    const int32_t n_vocab = gpt2c_model_hparams(v->model)->n_vocab;
    const gpt2c_session_params params = {.n_ctx = (int32_t)(N(known_prompt) + N(known_text)),
                                         .n_threads = v->common.n_threads};
    gpt2c_session *session = NULL;
    gpt2c_error err;
    gpt2c_status st = gpt2c_session_create(&session, v->model, &params, &err);
    if (!st) {
        st = gpt2c_session_eval(session, known_prompt, (int32_t)N(known_prompt), &err);
    }
    int code = EXIT_OK;
    for (size_t i = 0; !st && !code && i < N(known_text); i++) {
        const gpt2c_token token = largest(gpt2c_session_logits(session, 0), n_vocab);
        if (token != known_text[i]) {
            code = cli_fail(EXIT_RUNTIME, "greedy token %zu after 464 3290: expected %d, found %d",
                            i, known_text[i], token);
        }
        st = gpt2c_session_eval(session, &token, 1, &err);
    }
    gpt2c_session_free(&session);
    return st ? cli_fail_status(&err) : code;
}

/* ---- results --------------------------------------------------------------------------------- */

static void print_results(FILE *f, const struct verify *v)
{
    fprintf(f, "tensors  %zu, types and shapes agree with config.json\n",
            gpt2c_model_n_tensors(v->model));
    fprintf(f, "values   %llu, all finite\n", (unsigned long long)v->n_values);
    fprintf(f, "head     %s\n", gpt2c_model_is_tied(v->model) ? "equal to wte" : "of its own");
    for (size_t i = 0; i < v->n_files; i++) {
        char *path = text_visible(v->files[i].path, strlen(v->files[i].path));
        fprintf(f, "sha256   %s  %s  %s\n", v->files[i].sha256, path,
                v->files[i].known ? v->files[i].known : "(not a known file)");
        free(path);
    }
    if (v->published) {
        fprintf(f, "greedy   continues as published\n");
    }
}

static cJSON *json_results(const struct verify *v)
{
    cJSON *root = jsonout_document();
    cJSON *files = cJSON_AddArrayToObject(root, "files");
    cJSON_AddItemToObject(root, "n_tensors", jsonout_int((int64_t)gpt2c_model_n_tensors(v->model)));
    cJSON_AddItemToObject(root, "n_values", jsonout_int((int64_t)v->n_values));
    cJSON_AddBoolToObject(root, "finite", true);
    cJSON_AddBoolToObject(root, "tied", gpt2c_model_is_tied(v->model));
    for (size_t i = 0; i < v->n_files; i++) {
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToObject(item, "file",
                              jsonout_string(v->files[i].path, strlen(v->files[i].path)));
        cJSON_AddStringToObject(item, "sha256", v->files[i].sha256);
        if (v->files[i].known) {
            cJSON_AddStringToObject(item, "known", v->files[i].known);
        } else {
            cJSON_AddNullToObject(item, "known");
        }
        cJSON_AddItemToArray(files, item);
    }
    if (v->published) {
        cJSON_AddBoolToObject(root, "greedy", true);
    } else {
        cJSON_AddNullToObject(root, "greedy");
    }
    return root;
}

static int print_all(const struct verify *v)
{
    struct outfile out;
    if (v->common.json) {
        return jsonout_print(json_results(v), v->common.output);
    }
    const int code = outfile_open(&out, v->common.output);
    if (code) {
        return code;
    }
    print_results(out.f, v);
    return outfile_commit(&out);
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
    static const struct cli_option options[] = {{0, NULL, NULL, CLI_FLAG, NULL, NULL, 0, 0, NULL}};
    struct verify *v = cli_alloc(1, sizeof *v);
    int code = EXIT_OK;
    if (cli_parse(cmd, options, &v->common, argc, argv, NULL, &code)) {
        code = cli_open(&v->common, &v->model, NULL);
        if (!code) {
            code = check_tensors(v);
        }
        if (!code && v->published) {
            code = check_text(v);
        }
        if (!code) {
            code = print_all(v);
        }
        gpt2c_model_close(&v->model);
    }
    for (size_t i = 0; i < v->n_files; i++) {
        free(v->files[i].path);
    }
    free(v);
    return code;
}

const struct cli_command cmd_verify = {
    .name = "verify",
    .summary = "Check a model: values, shapes, sums, known text.",
    .usage = "gpt2c verify [options]",
    .examples = "gpt2c verify                       the default model\n"
                "gpt2c verify -m DIR --json         for programs\n",
    .groups = CLI_MODEL | CLI_OUTPUT | CLI_JSON,
    .run = run,
};
