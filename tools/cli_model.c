/* Opening what the common options name: the model, its tokenizer, and text as token ids. */
#include "cli.h"

#include "sigbus.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void on_log(void *user, const char *line)
{
    const struct cli_common *common = user;
    cli_note(common, "%s", line);
}

static int open_model(const struct cli_common *common, const char *path, gpt2c_model **model)
{
    gpt2c_model_params params = gpt2c_model_default_params();
    params.dtype = (gpt2c_dtype)common->dtype;
    params.max_cpu = (gpt2c_cpu)common->max_cpu;
    params.n_threads = common->n_threads;
    params.no_mmap = common->no_mmap;
    params.huge_pages = common->many_tokens;
    if (common->verbose) {
        params.log = on_log;
        params.log_user = (void *)(uintptr_t)common;
    }
    gpt2c_error err;
    if (gpt2c_model_open(model, path, &params, &err)) {
        return cli_fail_status(&err);
    }
    sigbus_watch(*model);
    if (common->verbose) {
        const gpt2c_hparams *hp = gpt2c_model_hparams(*model);
        cli_note(common, "model %s: %d layers, %d heads, width %d, %s, %s kernels", path,
                 hp->n_layer, hp->n_head, hp->n_embd, gpt2c_dtype_name(gpt2c_model_dtype(*model)),
                 gpt2c_cpu_name(gpt2c_model_cpu(*model)));
    }
    return EXIT_OK;
}

/* The tokenizer of a model given as a .safetensors file is in the file's folder. */
static void cut_to_folder(char *path)
{
    struct stat st;
    if (stat(path, &st) != 0 || S_ISDIR(st.st_mode)) {
        return;
    }
    char *slash = strrchr(path, '/');
    if (slash) {
        slash[slash == path] = '\0';
    } else {
        memcpy(path, ".", 2);
    }
}

int cli_open(const struct cli_common *common, gpt2c_model **model, gpt2c_tokenizer **tokenizer)
{
    char path[PATH_MAX];
    int code = cli_find_model(common, path, sizeof path);
    if (!code && model) {
        code = open_model(common, path, model);
    }
    if (!code && tokenizer) {
        gpt2c_error err;
        cut_to_folder(path);
        if (gpt2c_tokenizer_open(tokenizer, path, &err)) {
            code = cli_fail_status(&err);
        }
    }
    if (!code && model && tokenizer) {
        const int32_t n_model = gpt2c_model_hparams(*model)->n_vocab;
        const int32_t n_tokenizer = gpt2c_tokenizer_n_vocab(*tokenizer);
        if (n_tokenizer > n_model) {
            code = cli_fail(EXIT_MODEL, "%s: the tokenizer has %d tokens, the model %d", path,
                            n_tokenizer, n_model);
        }
    }
    if (code && model) {
        gpt2c_model_close(model);
    }
    if (code && tokenizer) {
        gpt2c_tokenizer_close(tokenizer);
    }
    return code;
}

int cli_encode(const gpt2c_tokenizer *tokenizer, const char *text, size_t n_bytes,
               struct cli_tokens *out)
{
    *out = (struct cli_tokens){0};
    size_t cap = n_bytes + 1; /* a token has one byte or more */
    gpt2c_token *tok = calloc(cap, sizeof *tok);
    if (!tok) {
        return cli_fail(EXIT_MEMORY, "no memory for the ids of %zu bytes of text", n_bytes);
    }
    gpt2c_error err;
    if (gpt2c_tokenizer_encode(tokenizer, text, n_bytes, GPT2C_SPECIAL_ALLOW, tok, cap, &out->n_tok,
                               &err)) {
        free(tok);
        return cli_fail_status(&err);
    }
    out->tok = tok;
    return EXIT_OK;
}

int cli_check_prompt(const gpt2c_model *model, const gpt2c_tokenizer *tokenizer,
                     struct cli_tokens *tokens)
{
    const gpt2c_hparams *hp = gpt2c_model_hparams(model);
    if (tokens->n_tok == 0) {
        const gpt2c_token start = hp->bos >= 0 ? hp->bos : gpt2c_tokenizer_eos(tokenizer);
        if (start < 0 || start >= hp->n_vocab) {
            return cli_fail(EXIT_USAGE,
                            "the text is empty and the model has no token to begin with");
        }
        tokens->tok = cli_realloc(tokens->tok, 1, sizeof *tokens->tok);
        tokens->tok[tokens->n_tok++] = start;
    }
    if (tokens->n_tok > (size_t)hp->n_ctx) {
        return cli_fail(EXIT_RUNTIME, "the text has %zu tokens, the context of the model %d",
                        tokens->n_tok, hp->n_ctx);
    }
    return EXIT_OK;
}

int cli_read_prompt(const struct cli_common *common, const char *fallback, const gpt2c_model *model,
                    const gpt2c_tokenizer *tokenizer, struct cli_tokens *out)
{
    struct cli_bytes text;
    *out = (struct cli_tokens){0};
    int code = cli_read_text(common, fallback, &text);
    if (!code) {
        code = cli_encode(tokenizer, text.data, text.n_bytes, out);
    }
    free(text.data);
    if (!code) {
        code = cli_check_prompt(model, tokenizer, out);
    }
    if (code) {
        free(out->tok);
        *out = (struct cli_tokens){0};
    }
    return code;
}
