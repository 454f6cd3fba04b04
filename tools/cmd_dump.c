/* gpt2c dump: the activations of one pass over a text, with Hugging Face's names and meanings. What
 * is asked for is planned first, its memory counted, and only that is kept. */
#include "commands.h"
#include "npy.h"
#include "outfile.h"
#include "prompt.h"
#include "safetensors_out.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What can be dumped, in the order of the file. */
static const struct kind {
    const char *name;
    gpt2c_what what;
} kinds[] = {
    {"hidden", GPT2C_HIDDEN},
    {"attn", GPT2C_ATTN},
    {"scores", GPT2C_SCORES},
    {"q", GPT2C_Q},
    {"k", GPT2C_K},
    {"v", GPT2C_V},
    {"z", GPT2C_Z},
    {"mlp_post", GPT2C_MLP_POST},
    {"mlp_out", GPT2C_MLP_OUT},
    {"logits", GPT2C_LOGITS},
};

#define N_KINDS (sizeof kinds / sizeof *kinds)

struct dump_job {
    struct cli_common common;
    const char *what, *layer, *ids;
    uint32_t what_set;
    struct prompt prompt;
    struct safetensors_out *tensors; /* [n_tensors] */
    size_t n_tensors;
    size_t *index[N_KINDS]; /* [n_layer + 1] of each kind: 1 + its tensor; 0: not asked for */
    float *data;            /* of all tensors */
    struct outfile out;
};

/* ---- options --------------------------------------------------------------------------------- */

static int parse_what(struct dump_job *job)
{
    const char *p = job->what;
    for (;;) {
        const size_t len = strcspn(p, ",");
        size_t i = 0;
        while (i < N_KINDS &&
               !(strlen(kinds[i].name) == len && memcmp(kinds[i].name, p, len) == 0)) {
            i++;
        }
        if (i == N_KINDS) {
            const char *names[N_KINDS];
            char word[32];
            for (size_t k = 0; k < N_KINDS; k++) {
                names[k] = kinds[k].name;
            }
            snprintf(word, sizeof word, "%.*s", (int)len, p);
            const char *near = cli_nearest(word, names, N_KINDS);
            return cli_fail(EXIT_USAGE,
                            "--what: '%.*s' is none of hidden, attn, scores, q, k, v, z, mlp_post, "
                            "mlp_out, logits%s%s%s",
                            (int)len, p, near ? "; did you mean '" : "", near ? near : "",
                            near ? "'?" : "");
        }
        job->what_set |= kinds[i].what;
        if (!p[len]) {
            return EXIT_OK;
        }
        p += len + 1;
    }
}

/* Ids between blanks or commas. */
static int parse_ids(const char *text, int32_t n_vocab, struct cli_tokens *out)
{
    char *copy = strdup(text);
    char *rest = NULL;
    int code = copy ? EXIT_OK : cli_fail(EXIT_MEMORY, "no memory for the ids");
    *out = (struct cli_tokens){.tok = cli_alloc(strlen(text) / 2 + 1, sizeof *out->tok)};
    for (char *word = copy ? strtok_r(copy, " \t\r\n,", &rest) : NULL; word && !code;
         word = strtok_r(NULL, " \t\r\n,", &rest)) {
        int64_t id = 0;
        if (!cli_parse_int(word, &id)) {
            code = cli_fail(EXIT_USAGE, "--ids: '%s' is not a token id", word);
        } else if (id < 0 || id >= n_vocab) {
            code = cli_fail(EXIT_USAGE, "--ids: token %lld is out of range: the model has 0 to %d",
                            (long long)id, n_vocab - 1);
        } else {
            out->tok[out->n_tok++] = (gpt2c_token)id;
        }
    }
    free(copy);
    return code;
}

/* What prompt_open does, with ids in place of a text: no tokenizer is needed. */
static int open_ids(struct dump_job *job)
{
    struct prompt *p = &job->prompt;
    struct cli_bytes text = {0};
    const bool from_stdin = strcmp(job->ids, "-") == 0;
    int code = cli_open(&job->common, &p->model, NULL);
    if (code) {
        return code;
    }
    p->hp = gpt2c_model_hparams(p->model);
    if (from_stdin) {
        struct cli_common stdin_only = {.file = "-"};
        code = cli_read_text(&stdin_only, NULL, &text);
    }
    if (!code) {
        code = parse_ids(from_stdin ? text.data : job->ids, p->hp->n_vocab, &p->tokens);
    }
    free(text.data);
    if (!code && p->tokens.n_tok == 0) {
        code = cli_fail(EXIT_USAGE, "--ids: there are none");
    }
    return code ? code : cli_check_prompt(p->model, NULL, &p->tokens);
}

/* ---- plan ------------------------------------------------------------------------------------ */

static void set_shape(struct safetensors_out *t, gpt2c_what what, const gpt2c_hparams *hp,
                      size_t n_tok)
{
    const size_t n_head = (size_t)hp->n_head;
    const size_t n_embd = (size_t)hp->n_embd;
    t->n_dims = 2;
    t->shape[0] = n_tok;
    switch (what) {
    case GPT2C_ATTN:
    case GPT2C_SCORES:
    case GPT2C_Q:
    case GPT2C_K:
    case GPT2C_V:
    case GPT2C_Z:
        t->n_dims = 3;
        t->shape[0] = n_head;
        t->shape[1] = n_tok;
        t->shape[2] = what == GPT2C_ATTN || what == GPT2C_SCORES ? n_tok : n_embd / n_head;
        break;
    case GPT2C_MLP_POST:
        t->shape[1] = (size_t)hp->n_ff;
        break;
    case GPT2C_LOGITS:
        t->shape[1] = (size_t)hp->n_vocab;
        break;
    case GPT2C_HIDDEN:
    case GPT2C_MLP_OUT:
        t->shape[1] = n_embd;
        break;
    }
}

static void plan_tensor(struct dump_job *job, size_t kind, int32_t layer)
{
    const gpt2c_hparams *hp = job->prompt.hp;
    struct safetensors_out *t = &job->tensors[job->n_tensors++];
    if (kinds[kind].what == GPT2C_LOGITS) {
        snprintf(t->name, sizeof t->name, "logits");
    } else {
        snprintf(t->name, sizeof t->name, "%s.%d", kinds[kind].name, layer);
    }
    set_shape(t, kinds[kind].what, hp, job->prompt.tokens.n_tok);
    job->index[kind][layer] = job->n_tensors;
}

static int plan(struct dump_job *job)
{
    const gpt2c_hparams *hp = job->prompt.hp;
    job->tensors = cli_alloc(N_KINDS * ((size_t)hp->n_layer + 1), sizeof *job->tensors);
    for (size_t kind = 0; kind < N_KINDS; kind++) {
        job->index[kind] = cli_alloc((size_t)hp->n_layer + 1, sizeof *job->index[kind]);
        if (!(job->what_set & kinds[kind].what)) {
            continue;
        }
        if (kinds[kind].what == GPT2C_LOGITS) {
            plan_tensor(job, kind, hp->n_layer);
            continue;
        }
        int32_t *layers = NULL;
        int32_t n_layers = 0;
        const int32_t n = hp->n_layer + (kinds[kind].what == GPT2C_HIDDEN);
        const int code = cli_parse_list(job->layer, "layer", n, &layers, &n_layers);
        if (code) {
            return code;
        }
        for (int32_t i = 0; i < n_layers; i++) {
            plan_tensor(job, kind, layers[i]);
        }
        free(layers);
    }
    return EXIT_OK;
}

static int allocate(struct dump_job *job)
{
    size_t n = 0;
    double n_bytes = 0; /* cannot overflow */
    for (size_t i = 0; i < job->n_tensors; i++) {
        n_bytes += (double)safetensors_out_numel(&job->tensors[i]) * sizeof(float);
        n += safetensors_out_numel(&job->tensors[i]);
    }
    if (n_bytes <= cli_machine_bytes()) {
        job->data = calloc(n, sizeof *job->data);
    }
    if (!job->data) {
        return cli_fail(
            EXIT_MEMORY,
            "the activations take %.1f MiB, more than there is; ask for fewer by --what "
            "and --layer",
            n_bytes / 1048576);
    }
    for (size_t i = 0, at = 0; i < job->n_tensors; i++) {
        job->tensors[i].data = job->data + at;
        at += safetensors_out_numel(&job->tensors[i]);
    }
    return EXIT_OK;
}

/* ---- work ------------------------------------------------------------------------------------ */

static size_t kind_of(gpt2c_what what)
{
    size_t kind = 0;
    while (kinds[kind].what != what) {
        kind++;
    }
    return kind;
}

static int on_activation(void *user, const gpt2c_activation *a)
{
    const struct dump_job *job = user;
    const size_t i = job->index[kind_of(a->what)][a->layer];
    if (i == 0) {
        return cli_interrupted(); /* a layer that nobody asked for */
    }
    const struct safetensors_out *t = &job->tensors[i - 1];
    const size_t n_cols = t->shape[t->n_dims - 1];
    const size_t first = (a->head > 0 ? (size_t)a->head * t->shape[1] : 0) + (size_t)a->pos;
    const float fill = a->what == GPT2C_SCORES ? -INFINITY : 0;
    for (int32_t r = 0; r < a->n_rows; r++) {
        float *row = t->data + (first + (size_t)r) * n_cols;
        memcpy(row, a->data + (size_t)r * a->ld, (size_t)a->n_cols * sizeof *row);
        for (size_t c = (size_t)a->n_cols; c < n_cols; c++) {
            row[c] = fill; /* positions after those that the pass had reached */
        }
    }
    return cli_interrupted();
}

static int evaluate(struct dump_job *job)
{
    const int code = prompt_session(&job->prompt, &job->common, 1);
    return code ? code : prompt_eval(&job->prompt, job->what_set, on_activation, job);
}

/* ---- output ---------------------------------------------------------------------------------- */

static bool wants_npy(const struct dump_job *job)
{
    const char *dot = strrchr(job->common.output, '.');
    return dot && strcmp(dot, ".npy") == 0;
}

static char *ids_text(const struct cli_tokens *prompt)
{
    char *text = cli_alloc(prompt->n_tok + 1, 12);
    size_t n = 0;
    for (size_t i = 0; i < prompt->n_tok; i++) {
        n += (size_t)snprintf(text + n, 13, "%s%d", i ? " " : "", prompt->tok[i]);
    }
    return text;
}

static void write_file(const struct dump_job *job)
{
    if (wants_npy(job)) {
        const struct safetensors_out *t = &job->tensors[0];
        npy_write(job->out.f, t->data, t->shape, (size_t)t->n_dims);
        return;
    }
    char *ids = ids_text(&job->prompt.tokens);
    const char *metadata[] = {"format", "pt", "gpt2c", gpt2c_version(), "ids", ids, NULL};
    safetensors_out_write(job->out.f, job->tensors, job->n_tensors, metadata);
    free(ids);
}

static void report(const struct dump_job *job)
{
    for (size_t i = 0; i < job->n_tensors && job->common.verbose; i++) {
        const struct safetensors_out *t = &job->tensors[i];
        char shape[80];
        int n = 0;
        for (int32_t d = 0; d < t->n_dims; d++) {
            n += snprintf(shape + n, sizeof shape - (size_t)n, "[%zu]", t->shape[d]);
        }
        cli_note(&job->common, "%s %s", t->name, shape);
    }
}

static int run_job(struct dump_job *job)
{
    int code = parse_what(job);
    if (!code) {
        code = job->ids ? open_ids(job) : prompt_open(&job->prompt, &job->common);
    }
    if (!code) {
        code = plan(job);
    }
    if (!code && wants_npy(job) && job->n_tensors != 1) {
        code = cli_fail(EXIT_USAGE,
                        "a .npy file holds one tensor, %zu are asked for; name one by --what and "
                        "--layer, or write a .safetensors file",
                        job->n_tensors);
    }
    if (!code) {
        code = allocate(job);
    }
    if (!code) {
        code = outfile_open(&job->out, job->common.output); /* before the work, which may be long */
    }
    if (!code) {
        code = evaluate(job);
    }
    if (code) {
        return code;
    }
    write_file(job);
    report(job);
    return outfile_commit(&job->out);
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
    struct dump_job job = {.what = "logits,attn,hidden", .layer = "all"};
    const struct cli_option options[] = {
        {0, "what", "LIST", CLI_STRING, &job.what,
         "hidden, attn, scores, q, k, v, z, mlp_post, mlp_out, logits (default logits,attn,hidden)",
         0, 0, NULL},
        {0, "layer", "LIST", CLI_STRING, &job.layer,
         "layers such as 0,3-5 or -1 (default all); hidden has one more, after ln_f", 0, 0, NULL},
        {0, "ids", "IDS", CLI_STRING, &job.ids, "token ids in place of text; - reads stdin", 0, 0,
         NULL},
        {0},
    };
    int code = EXIT_OK;
    if (!cli_parse(cmd, options, &job.common, argc, argv, NULL, &code)) {
        return code;
    }
    if (!job.common.output) {
        return cli_fail(EXIT_USAGE, "dump needs -o FILE.safetensors (or .npy for one tensor)");
    }
    if (job.ids && (job.common.prompt || job.common.file)) {
        return cli_fail(EXIT_USAGE, "--ids excludes --prompt and --file");
    }
    code = run_job(&job);
    outfile_discard(&job.out);
    free(job.data);
    free(job.tensors);
    for (size_t kind = 0; kind < N_KINDS; kind++) {
        free(job.index[kind]);
    }
    prompt_close(&job.prompt);
    return code;
}

const struct cli_command cmd_dump = {
    .name = "dump",
    .summary = "Write activations to a file: hidden states, attention, q, k, v, logits.",
    .usage = "gpt2c dump [options] -o FILE.safetensors|FILE.npy",
    .examples = "gpt2c dump --prompt \"The cat sat\" -o out.safetensors\n"
                "gpt2c dump --what q,k,v --layer 0,-1 -o qkv.safetensors\n"
                "gpt2c dump --what hidden --layer -1 -o last.npy\n"
                "gpt2c dump --ids \"464 3290\" --what logits -o logits.npy",
    .groups = CLI_MODEL | CLI_TEXT | CLI_OUTPUT,
    .run = run,
};
