/* gpt2c heads: what every attention head does with a text, as six numbers each. The maps pass by in
 * blocks of rows and are added up; none is kept. */
#include "commands.h"
#include "ending.h"
#include "headscore.h"
#include "heatmap.h"
#include "jsonout.h"
#include "outfile.h"
#include "prompt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const measure_names[] = {"mul", "abs", NULL};
static const enum ending endings[] = {ENDING_PNG, ENDING_CSV, ENDING_JSON, ENDING_NONE};

struct head {
    int32_t layer, head;
    double score[HEADSCORE_N];
};

struct heads {
    struct prompt prompt;
    struct headscore_rule rule;
    struct headscore_sums *sums; /* [n_layer][n_head] */
    struct head *rows;           /* [n_rows], of layer and head until sorted */
    size_t n_rows;
};

static int on_attention(void *user, const gpt2c_activation *a)
{
    struct heads *h = user;
    struct headscore_sums *sums =
        h->sums + (size_t)a->layer * (size_t)h->prompt.hp->n_head + (size_t)a->head;
    for (size_t r = 0; r < (size_t)a->n_rows; r++) {
        headscore_add(sums, &h->rule, h->prompt.tokens.tok, (size_t)a->pos + r,
                      a->data + r * a->ld);
    }
    return 0;
}

static int compute(struct heads *h, const struct cli_common *common)
{
    const size_t n_head = (size_t)h->prompt.hp->n_head;
    h->n_rows = (size_t)h->prompt.hp->n_layer * n_head;
    h->sums = cli_alloc(h->n_rows, sizeof *h->sums);
    h->rows = cli_alloc(h->n_rows, sizeof *h->rows);
    int code = prompt_session(&h->prompt, common, 1);
    if (!code) {
        code = prompt_eval(&h->prompt, GPT2C_ATTN, on_attention, h);
    }
    for (size_t i = 0; !code && i < h->n_rows; i++) {
        h->rows[i].layer = (int32_t)(i / n_head);
        h->rows[i].head = (int32_t)(i % n_head);
        headscore_finish(&h->sums[i], &h->rule, h->prompt.tokens.n_tok, h->rows[i].score);
    }
    return code;
}

/* The largest score first; what is not a number last; equal ones stay in order. */
static void sort_rows(struct heads *h, int score)
{
    for (size_t i = 1; i < h->n_rows; i++) {
        const struct head row = h->rows[i];
        size_t at = i;
        for (; at > 0; at--) {
            const double before = h->rows[at - 1].score[score];
            if (isnan(row.score[score]) || before >= row.score[score]) {
                break;
            }
            h->rows[at] = h->rows[at - 1];
        }
        h->rows[at] = row;
    }
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void print_table(const struct heads *h, bool color)
{
    static const char *const titles[HEADSCORE_N] = {"entropy",  "distance",  "first",
                                                    "previous", "duplicate", "induction"};
    double largest[HEADSCORE_N];
    printf("layer  head");
    for (int s = 0; s < HEADSCORE_N; s++) {
        largest[s] = -INFINITY;
        for (size_t i = 0; i < h->n_rows; i++) {
            largest[s] = fmax(largest[s], h->rows[i].score[s]);
        }
        printf("  %9s", titles[s]);
    }
    putchar('\n');
    for (size_t i = 0; i < h->n_rows; i++) {
        const struct head *row = &h->rows[i];
        printf("%5d  %4d", row->layer, row->head);
        for (int s = 0; s < HEADSCORE_N; s++) {
            const bool bold = color && row->score[s] == largest[s];
            if (isnan(row->score[s])) {
                printf("  %9s", "-");
            } else {
                printf("  %s%9.4f%s", bold ? "\x1b[1m" : "", row->score[s], bold ? "\x1b[0m" : "");
            }
        }
        putchar('\n');
    }
}

static cJSON *make_json(const struct heads *h)
{
    cJSON *document = jsonout_document();
    cJSON *list = cJSON_AddArrayToObject(document, "heads");
    for (size_t i = 0; i < h->n_rows; i++) {
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToObject(item, "layer", jsonout_int(h->rows[i].layer));
        cJSON_AddItemToObject(item, "head", jsonout_int(h->rows[i].head));
        for (int s = 0; s < HEADSCORE_N; s++) {
            cJSON_AddItemToObject(item, headscore_names[s], jsonout_double(h->rows[i].score[s]));
        }
        cJSON_AddItemToArray(list, item);
    }
    return document;
}

static int write_csv(const struct heads *h, const char *path)
{
    struct outfile out;
    const int code = outfile_open(&out, path);
    if (code) {
        return code;
    }
    fputs("layer,head", out.f);
    for (int s = 0; s < HEADSCORE_N; s++) {
        fprintf(out.f, ",%s", headscore_names[s]);
    }
    fputc('\n', out.f);
    for (size_t i = 0; i < h->n_rows; i++) {
        fprintf(out.f, "%d,%d", h->rows[i].layer, h->rows[i].head);
        for (int s = 0; s < HEADSCORE_N; s++) {
            fprintf(out.f, ",%.9g", h->rows[i].score[s]);
        }
        fputc('\n', out.f);
    }
    return outfile_commit(&out);
}

/* ---- picture --------------------------------------------------------------------------------- */

/* A panel for each score asked for, layers down and heads across. */
static int draw(const struct heads *h, int only, const char *path)
{
    static const char *const titles[HEADSCORE_N] = {
        "Entropy (nats)",      "Mean distance",         "Share of the first token",
        "Previous-token score", "Duplicate-token score", "Induction score"};
    const int n_panels = only < 0 ? HEADSCORE_N : 1;
    const size_t n_head = (size_t)h->prompt.hp->n_head;
    struct heatmap_panel panels[HEADSCORE_N] = {0};
    float *values = cli_alloc((size_t)n_panels * h->n_rows, sizeof *values);
    for (int i = 0; i < n_panels; i++) {
        const int score = only < 0 ? i : only;
        float *v = values + (size_t)i * h->n_rows;
        for (size_t r = 0; r < h->n_rows; r++) {
            const struct head *row = &h->rows[r];
            v[(size_t)row->layer * n_head + (size_t)row->head] = (float)row->score[score];
        }
        panels[i].v = v;
        panels[i].title = titles[score];
    }
    struct heatmap map = {.panels = panels, .n_panels = n_panels, .n_across = n_panels < 3 ? 1 : 3,
                          .n_rows = h->prompt.hp->n_layer, .n_cols = h->prompt.hp->n_head,
                          .title = "GPT-2 Attention Heads", .x_title = "Head", .y_title = "Layer",
                          .map = COLORMAP_VIRIDIS, .norm = HEATMAP_LINEAR, .auto_min = true,
                          .auto_max = true, .each = true};
    struct plot *p = NULL;
    int code = heatmap_draw(&map, &p);
    if (!code) {
        code = plot_save(p, path);
    }
    plot_free(&p);
    free(values);
    return code;
}

/* ---- command --------------------------------------------------------------------------------- */

static int show(const struct heads *h, const struct cli_common *common, enum ending ending,
                int score)
{
    int code = EXIT_OK;
    if (ending == ENDING_CSV) {
        code = write_csv(h, common->output);
    } else if (ending == ENDING_JSON) {
        code = jsonout_print(make_json(h), common->output);
    } else if (ending) {
        code = draw(h, score, common->output);
    }
    if (!code && common->json) {
        code = jsonout_print(make_json(h), NULL);
    } else if (!code && !ending) {
        print_table(h, cli_use_color(common, stdout));
    }
    return code;
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
    struct cli_common common = {0};
    struct heads h = {0};
    int measure = 0;
    int sort = -1;
    int score = -1;
    const struct cli_option options[] = {
        {0, "sort", NULL, CLI_CHOICE, &sort, "order the rows by a score, the largest first", 0, 0,
         headscore_names},
        {0, "score", NULL, CLI_CHOICE, &score, "draw only this one (default: all six)", 0, 0,
         headscore_names},
        {0, "measure", NULL, CLI_CHOICE, &measure,
         "of the last three scores, as in TransformerLens (default mul)", 0, 0, measure_names},
        {0, "exclude-first", NULL, CLI_FLAG, &h.rule.exclude_first,
         "leave attention to the first token out of those", 0, 0, NULL},
        {0, "exclude-current", NULL, CLI_FLAG, &h.rule.exclude_current,
         "leave attention of a token to itself out of those", 0, 0, NULL},
        {0},
    };
    enum ending ending = ENDING_NONE;
    int code = EXIT_OK;
    if (!cli_parse(cmd, options, &common, argc, argv, NULL, &code) ||
        (code = ending_find(&common, endings, &ending)) != EXIT_OK) {
        return code;
    }
    h.rule.abs = measure != 0;
    code = prompt_open(&h.prompt, &common);
    if (!code) {
        code = compute(&h, &common);
    }
    if (!code) {
        if (sort >= 0) {
            sort_rows(&h, sort);
        }
        code = show(&h, &common, ending, score);
    }
    free(h.sums);
    free(h.rows);
    prompt_close(&h.prompt);
    return code;
}

const struct cli_command cmd_heads = {
    .name = "heads",
    .summary = "Show what each attention head does: entropy, distance, known patterns.",
    .usage = "gpt2c heads [options]",
    .examples = "gpt2c heads --prompt \"The cat sat. The cat sat.\" --sort induction\n"
                "gpt2c heads --prompt \"The cat sat. The cat sat.\" -o heads.png\n"
                "gpt2c heads --file text.txt --score entropy -o entropy.png",
    .groups = CLI_MODEL | CLI_TEXT | CLI_OUTPUT | CLI_JSON,
    .run = run,
};
