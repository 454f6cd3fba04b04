/* gpt2c inspect: the tensors of a model's files, its sizes, and what running it takes. */
#include "commands.h"
#include "jsonout.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

static const struct cli_option options[] = {{0, NULL, NULL, CLI_FLAG, NULL, NULL, 0, 0, NULL}};

/* The largest power of two, up to 64, that divides the offset. */
static int alignment_of(uint64_t offset)
{
    int n = 1;
    while (n < 64 && offset % (uint64_t)(2 * n) == 0) {
        n *= 2;
    }
    return n;
}

static char *shape_text(const gpt2c_tensor_info *t)
{
    const size_t cap = 24 * (size_t)(t->n_dims + 1);
    char *text = cli_alloc(cap, 1);
    size_t n = (size_t)snprintf(text, cap, "[");
    for (int32_t i = 0; i < t->n_dims; i++) {
        n += (size_t)snprintf(text + n, cap - n, "%s%lld", i ? ", " : "", (long long)t->shape[i]);
    }
    snprintf(text + n, cap - n, "]");
    return text;
}

/* ---- the table ------------------------------------------------------------------------------- */

static void print_row(FILE *f, const gpt2c_tensor_info *t, size_t name_width, size_t shape_width)
{
    char *name = text_visible(t->name, strlen(t->name));
    char *shape = shape_text(t);
    text_pad(f, name, name_width, false);
    fprintf(f, "  %-5s  ", t->dtype);
    text_pad(f, shape, shape_width, false);
    fprintf(f, "  %12llu  %12llu  %5d%s\n", (unsigned long long)t->n_bytes,
            (unsigned long long)t->offset, alignment_of(t->offset), t->used ? "" : "  ignored");
    free(name);
    free(shape);
}

static void print_table(FILE *f, const gpt2c_model *model)
{
    const size_t n = gpt2c_model_n_tensors(model);
    size_t name_width = strlen("tensor");
    size_t shape_width = strlen("shape");
    gpt2c_tensor_info t;
    for (size_t i = 0; i < n && !gpt2c_model_tensor(model, i, &t, NULL); i++) {
        char *name = text_visible(t.name, strlen(t.name));
        char *shape = shape_text(&t);
        name_width = text_width(name) > name_width ? text_width(name) : name_width;
        shape_width = strlen(shape) > shape_width ? strlen(shape) : shape_width;
        free(name);
        free(shape);
    }
    const char *file = NULL;
    for (size_t i = 0; i < n && !gpt2c_model_tensor(model, i, &t, NULL); i++) {
        if (!file || strcmp(file, t.file) != 0) {
            char *path = text_visible(t.file, strlen(t.file));
            file = t.file;
            fprintf(f, "%s%s\n", i ? "\n" : "", path);
            free(path);
            text_pad(f, "tensor", name_width, false);
            fprintf(f, "  dtype  ");
            text_pad(f, "shape", shape_width, false);
            fprintf(f, "  %12s  %12s  align\n", "bytes", "offset");
        }
        print_row(f, &t, name_width, shape_width);
    }
}

static double mib(size_t n_bytes)
{
    return (double)n_bytes / (1 << 20);
}

static void print_summary(FILE *f, const gpt2c_model *model)
{
    const gpt2c_hparams *hp = gpt2c_model_hparams(model);
    fprintf(f, "\nlayers %d, heads %d, width %d, MLP width %d, positions %d, vocabulary %d\n",
            hp->n_layer, hp->n_head, hp->n_embd, hp->n_ff, hp->n_ctx, hp->n_vocab);
    fprintf(f, "layer_norm_epsilon %g, bos %d, eos %d, head %s\n", (double)hp->layer_norm_epsilon,
            hp->bos, hp->eos, gpt2c_model_is_tied(model) ? "tied to wte" : "of its own");
    fprintf(f, "parameters       %lld\n", (long long)gpt2c_model_n_params(model));
    fprintf(f, "read per token   %.1f MiB as %s\n", mib(gpt2c_model_decode_bytes(model)),
            gpt2c_dtype_name(gpt2c_model_dtype(model)));
    fprintf(f, "session memory   %.1f MiB for %d positions\n",
            mib(gpt2c_session_bytes(model, NULL)), hp->n_ctx);
    fprintf(f, "kernels          %s\n", gpt2c_cpu_name(gpt2c_model_cpu(model)));
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static cJSON *json_tensor(const gpt2c_tensor_info *t)
{
    cJSON *item = cJSON_CreateObject();
    cJSON *shape = cJSON_CreateArray();
    for (int32_t i = 0; i < t->n_dims; i++) {
        cJSON_AddItemToArray(shape, jsonout_int(t->shape[i]));
    }
    cJSON_AddItemToObject(item, "name", jsonout_string(t->name, strlen(t->name)));
    cJSON_AddStringToObject(item, "dtype", t->dtype);
    cJSON_AddItemToObject(item, "shape", shape);
    cJSON_AddItemToObject(item, "bytes", jsonout_int((int64_t)t->n_bytes));
    cJSON_AddItemToObject(item, "offset", jsonout_int((int64_t)t->offset));
    cJSON_AddItemToObject(item, "alignment", jsonout_int(alignment_of(t->offset)));
    cJSON_AddItemToObject(item, "file", jsonout_string(t->file, strlen(t->file)));
    cJSON_AddBoolToObject(item, "used", t->used);
    return item;
}

static cJSON *json_document(const gpt2c_model *model)
{
    const gpt2c_hparams *hp = gpt2c_model_hparams(model);
    cJSON *root = jsonout_document();
    cJSON *sizes = cJSON_AddObjectToObject(root, "hparams");
    cJSON *tensors = cJSON_AddArrayToObject(root, "tensors");
    gpt2c_tensor_info t;
    cJSON_AddItemToObject(sizes, "n_layer", jsonout_int(hp->n_layer));
    cJSON_AddItemToObject(sizes, "n_head", jsonout_int(hp->n_head));
    cJSON_AddItemToObject(sizes, "n_embd", jsonout_int(hp->n_embd));
    cJSON_AddItemToObject(sizes, "n_ff", jsonout_int(hp->n_ff));
    cJSON_AddItemToObject(sizes, "n_ctx", jsonout_int(hp->n_ctx));
    cJSON_AddItemToObject(sizes, "n_vocab", jsonout_int(hp->n_vocab));
    cJSON_AddItemToObject(sizes, "layer_norm_epsilon", jsonout_float(hp->layer_norm_epsilon));
    cJSON_AddItemToObject(sizes, "bos", jsonout_int(hp->bos));
    cJSON_AddItemToObject(sizes, "eos", jsonout_int(hp->eos));
    cJSON_AddItemToObject(root, "n_params", jsonout_int(gpt2c_model_n_params(model)));
    cJSON_AddBoolToObject(root, "tied", gpt2c_model_is_tied(model));
    cJSON_AddStringToObject(root, "dtype", gpt2c_dtype_name(gpt2c_model_dtype(model)));
    cJSON_AddStringToObject(root, "cpu", gpt2c_cpu_name(gpt2c_model_cpu(model)));
    cJSON_AddItemToObject(root, "decode_bytes",
                          jsonout_int((int64_t)gpt2c_model_decode_bytes(model)));
    cJSON_AddItemToObject(root, "session_bytes",
                          jsonout_int((int64_t)gpt2c_session_bytes(model, NULL)));
    for (size_t i = 0; !gpt2c_model_tensor(model, i, &t, NULL); i++) {
        cJSON_AddItemToArray(tensors, json_tensor(&t));
    }
    return root;
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
    struct cli_common common = {0};
    gpt2c_model *model = NULL;
    int code = EXIT_OK;
    if (!cli_parse(cmd, options, &common, argc, argv, NULL, &code)) {
        return code;
    }
    code = cli_open(&common, &model, NULL);
    if (!code && common.json) {
        code = jsonout_print(json_document(model), common.output);
    } else if (!code) {
        struct outfile out;
        code = outfile_open(&out, common.output);
        if (!code) {
            print_table(out.f, model);
            print_summary(out.f, model);
            code = outfile_commit(&out);
        }
    }
    gpt2c_model_close(&model);
    return code;
}

const struct cli_command cmd_inspect = {
    .name = "inspect",
    .summary = "List the tensors and sizes of a model.",
    .usage = "gpt2c inspect [options]",
    .examples = "gpt2c inspect                      the default model\n"
                "gpt2c inspect -m DIR --json        for programs\n",
    .groups = CLI_MODEL | CLI_OUTPUT | CLI_JSON,
    .run = run,
};
