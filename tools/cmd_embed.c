/* gpt2c embed: the options, and which of its parts they ask for. */
#include "commands.h"
#include "embed.h"
#include "ending.h"

#include <stdlib.h>
#include <string.h>

static const char *const add_names[] = {"nothing", "sinusoidal", NULL};
static const enum ending vector_endings[] = {ENDING_NPY, ENDING_CSV, ENDING_JSON, ENDING_NONE};
static const enum ending pca_endings[] = {ENDING_PNG, ENDING_CSV, ENDING_JSON, ENDING_NPY,
                                          ENDING_NONE};
static const enum ending nearest_endings[] = {ENDING_CSV, ENDING_JSON, ENDING_NONE};

/* "last", "wte", "wpe", "input" or "layer:N" to a layer or one of enum embed_source. */
static int parse_what(const char *text, int32_t n_layer, int32_t *source)
{
    int64_t n = 0;
    if (strcmp(text, "last") == 0) {
        *source = n_layer;
    } else if (strcmp(text, "input") == 0) {
        *source = 0;
    } else if (strcmp(text, "wte") == 0) {
        *source = EMBED_WTE;
    } else if (strcmp(text, "wpe") == 0) {
        *source = EMBED_WPE;
    } else if (strncmp(text, "layer:", 6) != 0 || !cli_parse_int(text + 6, &n)) {
        return cli_fail(EXIT_USAGE, "--what '%s': want last, wte, wpe, input or layer:N", text);
    } else if (n < -n_layer - 1 || n > n_layer) {
        return cli_fail(EXIT_USAGE,
                        "--what %s is out of range: the model has layer:0 (the input) to layer:%d",
                        text, n_layer);
    } else {
        *source = (int32_t)(n < 0 ? n + n_layer + 1 : n);
    }
    return EXIT_OK;
}

static int run_vectors(const struct cli_common *common, const char *what, bool add, bool pca,
                       enum ending ending)
{
    struct embed e = {.what = what};
    int32_t source = 0;
    int code = prompt_open(&e.prompt, common);
    if (!code) {
        code = parse_what(what, e.prompt.hp->n_layer, &source);
    }
    if (!code) {
        code = embed_compute(&e, common, source, add);
    }
    if (!code) {
        code = pca ? embed_pca(&e, common, ending) : embed_show(&e, common, ending);
    }
    free(e.x);
    prompt_close(&e.prompt);
    return code;
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
    struct cli_common common = {0};
    const char *what = NULL;
    const char *nearest = NULL;
    int add = 0;
    bool pca = false;
    int32_t k = 10;
    const struct cli_option options[] = {
        {0, "what", "WHAT", CLI_STRING, &what,
         "last (default), wte, wpe, input (their sum) or layer:N (after N blocks)", 0, 0, NULL},
        {0, "add", NULL, CLI_CHOICE, &add, "add the fixed positional encoding", 0, 0, add_names},
        {0, "pca", NULL, CLI_FLAG, &pca,
         "the first two principal components (the largest loading of each is positive)", 0, 0,
         NULL},
        {0, "nearest", "TOKEN", CLI_STRING, &nearest,
         "the rows of wte closest by cosine to that of a text or id (text:7: the text 7)", 0, 0,
         NULL},
        {'k', "top", "K", CLI_INT, &k, "how many of the nearest (default 10)", 1, 1000, NULL},
        {0},
    };
    int code = EXIT_OK;
    if (!cli_parse(cmd, options, &common, argc, argv, NULL, &code)) {
        return code;
    }
    if (nearest && (what || add || pca || common.prompt || common.file)) {
        return cli_fail(EXIT_USAGE, "--nearest looks at the token table: it takes no text, --what, "
                                    "--add or --pca");
    }
    enum ending ending = ENDING_NONE;
    code = ending_find(&common, nearest ? nearest_endings : pca ? pca_endings : vector_endings,
                       &ending);
    if (code) {
        return code;
    }
    return nearest ? embed_nearest(&common, nearest, k, ending)
                   : run_vectors(&common, what ? what : "last", add != 0, pca, ending);
}

const struct cli_command cmd_embed = {
    .name = "embed",
    .summary = "Show the vectors of a text, their PCA, or the nearest tokens.",
    .usage = "gpt2c embed [options]",
    .examples = "gpt2c embed --prompt \"The cat sat on the mat\" -o x.npy\n"
                "gpt2c embed --prompt \"The cat sat on the mat\" --pca -o pca.png\n"
                "gpt2c embed --prompt \"The cat\" --what wte --add sinusoidal\n"
                "gpt2c embed --nearest \" cat\" -k 5",
    .groups = CLI_MODEL | CLI_TEXT | CLI_OUTPUT | CLI_JSON,
    .run = run,
};
