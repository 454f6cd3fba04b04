/* gpt2c attn: attention maps as a picture, a page or numbers. */
#include "attn_out.h"
#include "attnmap.h"
#include "commands.h"
#include "heatmap.h"
#include "jsonout.h"
#include "label.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const aggregate_names[] = {"none", "mean", "max", "rollout", NULL};
static const char *const scale_names[] = {"shared", "each", NULL};
static const char *const bar_titles[] = {"log1p(attention)", "attention", "sqrt(attention)"};

enum { NAMED_ALL = 82 }; /* of more tokens a picture of the usual size cannot name each */

struct attn_job {
    struct cli_common common;
    const char *layer_text, *head_text; /* NULL: the default */
    int aggregate, norm, map, labels, scale;
    const char *vmin_text, *vmax_text, *title, *data;
    bool hide_upper, hide_first, annotate;
    double dpi;
    int32_t cell, n_generate;
    enum attn_format format, data_format;
    struct heatmap h;
    struct attnmap m;
    gpt2c_model *model;
    gpt2c_tokenizer *tokenizer;
    struct cli_tokens prompt;
    int32_t *layers, *heads;
    char **names;                  /* labels of the tokens [n_tok] */
    char **texts;                  /* in the cells [n_panels * n_tok * n_tok] */
    char (*panel_names)[32];       /* [n_panels] */
    char (*across)[32], (*down)[32];
};

/* ---- options --------------------------------------------------------------------------------- */

static int read_limit(const char *name, const char *text, bool *automatic, float *out)
{
    double v = 0;
    *automatic = text && strcmp(text, "auto") == 0;
    if (text && !*automatic && !cli_parse_real(text, &v)) {
        return cli_fail(EXIT_USAGE, "--%s: want a number or 'auto'; got '%s'", name, text);
    }
    *out = text && !*automatic ? (float)v : *out;
    return EXIT_OK;
}

/* What can be refused before the model is opened. */
static int check_options(struct attn_job *job)
{
    int code = EXIT_OK;
    if (!job->common.output && !job->data) {
        return cli_fail(EXIT_USAGE, "where to? Give -o FILE: .png or .html for the picture, .npy, "
                                    ".csv or .json for the numbers");
    }
    if (job->common.output && (code = attn_format_of(job->common.output, &job->format))) {
        return code;
    }
    if (job->data && (code = attn_format_of(job->data, &job->data_format))) {
        return code;
    }
    if (job->data && job->data_format <= ATTN_HTML) {
        return cli_fail(EXIT_USAGE, "--data %s: want a name that ends in .npy, .csv or .json",
                        job->data);
    }
    if (job->common.json && job->common.output && strcmp(job->common.output, "-") == 0) {
        return cli_fail(EXIT_USAGE, "-o - and --json both want stdout");
    }
    job->h.vmax = 0.15F;
    if ((code = read_limit("vmin", job->vmin_text, &job->h.auto_min, &job->h.vmin)) ||
        (code = read_limit("vmax", job->vmax_text, &job->h.auto_max, &job->h.vmax))) {
        return code;
    }
    if (!job->vmax_text && job->norm != HEATMAP_LOG1P) {
        job->h.auto_max = true; /* 0.15 is the notebook's choice for log1p */
    }
    if (!job->h.auto_min && !job->h.auto_max && job->h.vmin >= job->h.vmax) {
        return cli_fail(EXIT_USAGE, "--vmin %g is not below --vmax %g", (double)job->h.vmin,
                        (double)job->h.vmax);
    }
    return EXIT_OK;
}

/* The lists of layers and heads. A page and an aggregate take all heads unless told otherwise. */
static int choose_heads(struct attn_job *job)
{
    const gpt2c_hparams *hp = gpt2c_model_hparams(job->model);
    const bool page = job->common.output && job->format == ATTN_HTML;
    const bool all_layers = page || job->aggregate == ATTNMAP_ROLLOUT;
    const bool all_heads = page || job->aggregate != ATTNMAP_EACH;
    const char *layers = job->layer_text ? job->layer_text : all_layers ? "all" : "-1";
    const char *heads = job->head_text ? job->head_text : all_heads ? "all" : "0";
    int code = cli_parse_list(layers, "layer", hp->n_layer, &job->layers, &job->m.n_layers);
    if (!code) {
        code = cli_parse_list(heads, "head", hp->n_head, &job->heads, &job->m.n_heads);
    }
    job->m.layers = job->layers;
    job->m.heads = job->heads;
    return code;
}

/* ---- the picture ----------------------------------------------------------------------------- */

/* "Layer 3", "Layers 0–11" or "Layers 0, 3, 5". */
static void describe(char *out, size_t cap, const char *one, const int32_t *list, int32_t n)
{
    bool run = true;
    for (int32_t i = 1; i < n; i++) {
        run &= list[i] == list[i - 1] + 1;
    }
    if (n == 1) {
        snprintf(out, cap, "%s %d", one, list[0]);
        return;
    }
    if (run) {
        snprintf(out, cap, "%ss %d\xE2\x80\x93%d", one, list[0], list[n - 1]);
        return;
    }
    size_t len = (size_t)snprintf(out, cap, "%ss", one);
    for (int32_t i = 0; i < n && len + 16 < cap; i++) {
        len += (size_t)snprintf(out + len, cap - len, "%s %d", i ? "," : "", list[i]);
    }
}

static void make_title(const struct attn_job *job, char *out, size_t cap)
{
    static const char *const what[] = {"Map", "Mean", "Maximum", "Rollout"};
    char layers[160];
    char heads[160];
    describe(layers, sizeof layers, "Layer", job->m.layers, job->m.n_layers);
    describe(heads, sizeof heads, "Head", job->m.heads, job->m.n_heads);
    const bool several = job->m.n_maps > 1;
    snprintf(out, cap, "GPT-2 Attention %s%s (%s, %s)%s%s%s", what[job->aggregate],
             several ? "s" : "", layers, heads, job->hide_first ? ", first token hidden" : "",
             several && job->scale == 1 ? ", own scales of " : "",
             several && job->scale == 1 ? bar_titles[job->norm] : "");
}

static void annotate(struct attn_job *job)
{
    const int32_t n_tok = job->m.n_tok;
    const size_t n_cells = (size_t)n_tok * (size_t)n_tok;
    job->texts = cli_alloc((size_t)job->m.n_maps * n_cells, sizeof *job->texts);
    for (int32_t i = 0; i < job->m.n_maps; i++) {
        const float *v = attnmap_of(&job->m, i / job->m.n_heads, i % job->m.n_heads);
        char **texts = job->texts + (size_t)i * n_cells;
        for (size_t j = 0; j < n_cells; j++) {
            const int32_t row = (int32_t)(j / (size_t)n_tok);
            const int32_t col = (int32_t)(j % (size_t)n_tok);
            if (col > row || (job->hide_first && col == 0)) {
                continue;
            }
            char text[16];
            snprintf(text, sizeof text, "%.2f", (double)v[j]);
            texts[j] = cli_alloc(1, sizeof text);
            memcpy(texts[j], text[0] == '0' ? text + 1 : text, strlen(text) + (text[0] != '0'));
        }
        job->h.panels[i].texts = (const char *const *)texts;
    }
}

/* Rows of layers and columns of heads; where one of them is single, the maps wrap instead. */
static void arrange(struct attn_job *job)
{
    struct heatmap *h = &job->h;
    const int32_t n_layers = job->m.n_layers;
    const int32_t n_heads = job->m.n_heads;
    h->n_panels = job->m.n_maps;
    h->n_across = 1;
    if (h->n_panels == 1) {
        return;
    }
    if (n_layers > 1 && n_heads > 1) {
        h->n_across = n_heads;
        job->across = cli_alloc((size_t)n_heads, sizeof *job->across);
        job->down = cli_alloc((size_t)n_layers, sizeof *job->down);
        const char **across = cli_alloc((size_t)n_heads, sizeof *across);
        const char **down = cli_alloc((size_t)n_layers, sizeof *down);
        for (int32_t i = 0; i < n_heads; i++) {
            snprintf(job->across[i], sizeof job->across[i], "Head %d", job->heads[i]);
            across[i] = job->across[i];
        }
        for (int32_t i = 0; i < n_layers; i++) {
            snprintf(job->down[i], sizeof job->down[i], "Layer %d", job->layers[i]);
            down[i] = job->down[i];
        }
        h->across_labels = across;
        h->down_labels = down;
        return;
    }
    h->n_across = (int)ceil(sqrt(h->n_panels));
    job->panel_names = cli_alloc((size_t)h->n_panels, sizeof *job->panel_names);
    for (int32_t i = 0; i < h->n_panels; i++) {
        if (n_layers > 1) {
            snprintf(job->panel_names[i], sizeof *job->panel_names, "Layer %d", job->layers[i]);
        } else {
            snprintf(job->panel_names[i], sizeof *job->panel_names, "Head %d", job->heads[i]);
        }
        h->panels[i].title = job->panel_names[i];
    }
}

static void print_json(const struct attn_job *job, const struct plot *p)
{
    const struct heatmap *h = &job->h;
    const struct attnmap *m = &job->m;
    cJSON *document = jsonout_document();
    if (m->n_layers == 1) {
        cJSON_AddItemToObject(document, "layer", jsonout_int(m->layers[0]));
    }
    if (m->n_heads == 1) {
        cJSON_AddItemToObject(document, "head", jsonout_int(m->heads[0]));
    }
    cJSON_AddItemToObject(document, "layers", jsonout_ints(m->layers, (size_t)m->n_layers));
    cJSON_AddItemToObject(document, "heads", jsonout_ints(m->heads, (size_t)m->n_heads));
    cJSON_AddItemToObject(document, "n_tok", jsonout_int(m->n_tok));
    cJSON_AddItemToObject(document, "n_prompt", jsonout_int(m->n_prompt));
    cJSON_AddItemToObject(document, "ids", jsonout_ints(m->tok, (size_t)m->n_tok));
    if (p) {
        const int32_t size[2] = {plot_width(p), plot_height(p)};
        cJSON_AddItemToObject(document, "size", jsonout_ints(size, 2));
        cJSON *panels = m->n_maps > 1 ? cJSON_AddArrayToObject(document, "panels") : NULL;
        for (int32_t i = 0; i < m->n_maps; i++) {
            const struct plot_box *b = &h->panels[i].box;
            const int32_t axes[4] = {(int32_t)b->x0, (int32_t)b->y0, (int32_t)b->x1,
                                     (int32_t)b->y1};
            cJSON *panel = panels ? cJSON_CreateObject() : document;
            if (panels) {
                cJSON_AddItemToObject(panel, "layer", jsonout_int(m->layers[i / m->n_heads]));
                cJSON_AddItemToObject(panel, "head", jsonout_int(m->heads[i % m->n_heads]));
                cJSON_AddItemToArray(panels, panel);
            }
            cJSON_AddItemToObject(panel, "axes", jsonout_ints(axes, 4));
            cJSON_AddItemToObject(panel, "vmin", jsonout_float(h->panels[i].vmin));
            cJSON_AddItemToObject(panel, "vmax", jsonout_float(h->panels[i].vmax));
        }
        cJSON_AddItemToObject(document, "cell_px", jsonout_double(h->cell_px));
        if (panels && !h->each) {
            cJSON_AddItemToObject(document, "vmin", jsonout_float(h->panels[0].vmin));
            cJSON_AddItemToObject(document, "vmax", jsonout_float(h->panels[0].vmax));
        }
    }
    jsonout_print(document, NULL);
}

static char *drawable(const struct attn_job *job, const char *text)
{
    struct font *font = font_create();
    char *out = font ? plot_escape_px(font, text, strlen(text), false, PLOT_PT_TITLE, 640) : NULL;
    font_free(&font);
    if (!out) {
        exit(cli_fail(EXIT_MEMORY, "out of memory: the title of %s", job->common.output));
    }
    return out;
}

static int write_data_beside(const struct attn_job *job)
{
    return job->data ? attn_write_data(&job->m, job->tokenizer, job->data_format, job->data)
                     : EXIT_OK;
}

static int draw(struct attn_job *job)
{
    struct heatmap *h = &job->h;
    char title[512];
    make_title(job, title, sizeof title);
    char *heading = drawable(job, job->title ? job->title : title);
    h->title = heading;
    h->panels = cli_alloc((size_t)job->m.n_maps, sizeof *h->panels);
    arrange(job);
    for (int32_t i = 0; i < job->m.n_maps; i++) {
        h->panels[i].v = attnmap_of(&job->m, i / job->m.n_heads, i % job->m.n_heads);
    }
    h->n_rows = h->n_cols = job->m.n_tok;
    job->names = label_create(job->tokenizer, job->m.tok, (size_t)job->m.n_tok,
                              (enum label_style)job->labels, job->m.n_tok > NAMED_ALL);
    h->row_labels = h->col_labels = (const char *const *)job->names;
    h->no_ticks = h->n_panels > 9 || (h->n_panels > 1 && job->m.n_tok > 40);
    h->no_ticks |= job->labels == LABEL_NONE;
    h->x_title = "Key Tokens";
    h->y_title = "Query Tokens";
    h->bar_title = bar_titles[job->norm];
    h->map = (enum colormap)job->map;
    h->norm = (enum heatmap_norm)job->norm;
    h->each = job->scale == 1 && h->n_panels > 1;
    h->auto_max |= h->each && !job->vmax_text;
    h->hide_upper = job->hide_upper;
    h->hide_first = job->hide_first;
    h->mark = job->n_generate > 0 ? job->m.n_prompt : 0;
    h->dpi = job->dpi;
    h->cell = job->cell;
    if (job->annotate) {
        annotate(job);
    }
    struct plot *p = NULL;
    int code = heatmap_draw(h, &p);
    if (!code) {
        code = write_data_beside(job); /* only now: a picture that cannot be leaves no files */
    }
    if (!code) {
        code = plot_save(p, job->common.output);
    }
    if (!code && job->common.json) {
        print_json(job, p);
    }
    plot_free(&p);
    free(heading);
    return code;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int index_of(const int32_t *list, int32_t n, int32_t value)
{
    for (int32_t i = 0; i < n; i++) {
        if (list[i] == value) {
            return i;
        }
    }
    return 0;
}

static int write_page(const struct attn_job *job)
{
    char title[512];
    make_title(job, title, sizeof title);
    const struct attn_page page = {
        .layer = job->layer_text ? 0 : job->m.n_layers - 1,
        .head = index_of(job->heads, job->m.n_heads, 0),
        .map = (enum colormap)job->map,
        .norm = (enum heatmap_norm)job->norm,
        .auto_min = job->h.auto_min,
        .auto_max = job->h.auto_max,
        .vmin = (double)job->h.vmin,
        .vmax = (double)job->h.vmax,
        .title = job->title                       ? job->title
                 : job->aggregate != ATTNMAP_EACH ? title
                                                  : NULL,
    };
    return attn_write_page(&job->m, job->tokenizer, &page, job->common.output);
}

static int run_job(struct attn_job *job)
{
    int code = check_options(job);
    if (!code) {
        code = cli_open(&job->common, &job->model, &job->tokenizer);
    }
    if (!code) {
        code = choose_heads(job);
    }
    if (!code) {
        code = cli_read_prompt(&job->common, CLI_DEFAULT_PROMPT, job->model, job->tokenizer,
                               &job->prompt);
    }
    if (!code) {
        job->m.aggregate = (enum attnmap_aggregate)job->aggregate;
        job->m.n_generate = job->n_generate;
        job->m.n_threads = job->common.n_threads;
        code = attnmap_compute(&job->m, job->model, job->prompt.tok, job->prompt.n_tok);
    }
    if (!code && job->common.output && job->format == ATTN_PNG) {
        return draw(job);
    }
    if (!code) {
        code = write_data_beside(job);
    }
    if (!code && job->common.output) {
        code = job->format == ATTN_HTML ? write_page(job)
                                        : attn_write_data(&job->m, job->tokenizer, job->format,
                                                          job->common.output);
    }
    if (!code && job->common.json) {
        print_json(job, NULL);
    }
    return code;
}

static void free_job(struct attn_job *job)
{
    const size_t n_tok = (size_t)job->m.n_tok;
    for (size_t i = 0; job->texts && i < (size_t)job->m.n_maps * n_tok * n_tok; i++) {
        free(job->texts[i]);
    }
    free(job->texts);
    label_free(job->names, n_tok);
    free(job->panel_names);
    free(job->across);
    free(job->down);
    free((void *)(uintptr_t)job->h.across_labels);
    free((void *)(uintptr_t)job->h.down_labels);
    free(job->h.panels);
    free(job->layers);
    free(job->heads);
    free(job->prompt.tok);
    attnmap_free(&job->m);
    gpt2c_tokenizer_close(&job->tokenizer);
    gpt2c_model_close(&job->model);
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
    struct attn_job job = {0};
    const struct cli_option options[] = {
        {0, "layer", "LIST", CLI_STRING, &job.layer_text,
         "layers from 0, negative from the end: -1, 0,3-5, all (default -1; a page and rollout: "
         "all)", 0, 0, NULL},
        {0, "head", "LIST", CLI_STRING, &job.head_text,
         "heads likewise (default 0; a page and --agg: all)", 0, 0, NULL},
        {0, "agg", "HOW", CLI_CHOICE, &job.aggregate,
         "put the chosen heads together into one map", 0, 0, aggregate_names},
        {0, "generate", "N", CLI_INT, &job.n_generate,
         "add N greedily generated tokens after the text", 0, 1e6, NULL},
        {0, "data", "FILE", CLI_STRING, &job.data,
         "write the probabilities too, as .npy, .csv or .json", 0, 0, NULL},
        {0, "norm", "NAME", CLI_CHOICE, &job.norm, "what the colours show", 0, 0,
         heatmap_norm_names},
        {0, "vmin", "X", CLI_STRING, &job.vmin_text,
         "first colour, in the norm: a number or auto (default 0)", 0, 0, NULL},
        {0, "vmax", "X", CLI_STRING, &job.vmax_text,
         "last colour, likewise (default 0.15; other norms than log1p: auto)", 0, 0, NULL},
        {0, "scale", "HOW", CLI_CHOICE, &job.scale, "one scale for all maps, or for each its own",
         0, 0, scale_names},
        {0, "cmap", "NAME", CLI_CHOICE, &job.map, "colour map", 0, 0, colormap_names},
        {0, "labels", "HOW", CLI_CHOICE, &job.labels, "names of the tokens", 0, 0,
         label_style_names},
        {0, "title", "TEXT", CLI_STRING, &job.title, "another title", 0, 0, NULL},
        {0, "mask-upper", NULL, CLI_FLAG, &job.hide_upper,
         "leave out the cells above the diagonal, which are always 0", 0, 0, NULL},
        {0, "hide-first", NULL, CLI_FLAG, &job.hide_first,
         "leave out the first token, where heads rest that have nothing to look at", 0, 0, NULL},
        {0, "annotate", NULL, CLI_FLAG, &job.annotate, "write the probabilities into the cells", 0,
         0, NULL},
        {0, "dpi", "N", CLI_REAL, &job.dpi, "dots per inch: the size of all things (default 144)",
         30, 1200, NULL},
        {0, "cell", "N", CLI_INT, &job.cell, "pixels a cell is wide (default: as fits)", 1, 4096,
         NULL},
        {0},
    };
    int code = EXIT_OK;
    if (!cli_parse(cmd, options, &job.common, argc, argv, NULL, &code)) {
        return code;
    }
    code = run_job(&job);
    free_job(&job);
    return code;
}

const struct cli_command cmd_attn = {
    .name = "attn",
    .summary = "Draw attention maps, or write them as numbers.",
    .usage = "gpt2c attn [options] -o FILE",
    .examples = "gpt2c attn --layer -1 --head 0 -o map.png\n"
                "gpt2c attn --layer all --head all -o grid.png\n"
                "gpt2c attn -o heads.html\n"
                "gpt2c attn --prompt \"The cat sat\" --agg rollout -o rollout.png\n"
                "gpt2c attn --layer 3 --head 0-3 -o maps.npy",
    .groups = CLI_MODEL | CLI_TEXT | CLI_OUTPUT | CLI_JSON,
    .run = run,
};
