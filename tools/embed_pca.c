/* The vectors of a text in two dimensions. */
#include "embed.h"
#include "jsonout.h"
#include "label.h"
#include "npy.h"
#include "outfile.h"
#include "pca.h"
#include "plot.h"
#include "text.h"

#include <stdlib.h>

struct scatter {
    const struct prompt *prompt;
    size_t n;
    double *xy; /* [n][2] */
    struct pca pca;
};

static cJSON *make_json(const struct scatter *s, const char *what)
{
    cJSON *document = jsonout_document();
    cJSON *points = NULL;
    cJSON_AddStringToObject(document, "what", what);
    cJSON_AddItemToObject(document, "explained_variance",
                          cJSON_CreateDoubleArray(s->pca.variance, 2));
    cJSON_AddItemToObject(document, "explained_variance_ratio",
                          cJSON_CreateDoubleArray(s->pca.ratio, 2));
    points = cJSON_AddArrayToObject(document, "points");
    for (size_t i = 0; i < s->n; i++) {
        const gpt2c_token token = s->prompt->tokens.tok[i];
        cJSON *point = cJSON_CreateObject();
        cJSON_AddItemToObject(point, "pos", jsonout_int((int64_t)i));
        cJSON_AddItemToObject(point, "id", jsonout_int(token));
        cJSON_AddItemToObject(point, "token", prompt_json(s->prompt, token));
        cJSON_AddItemToObject(point, "xy", cJSON_CreateDoubleArray(s->xy + 2 * i, 2));
        cJSON_AddItemToArray(points, point);
    }
    return document;
}

static int write_csv(const struct scatter *s, const char *path)
{
    struct outfile out;
    const int code = outfile_open(&out, path);
    if (code) {
        return code;
    }
    /* The ratios stand in every line: each line is then whole by itself, and readers need no rule
     * for comments. */
    fputs("pos,id,token,pc1,pc2,pc1_explained_variance_ratio,pc2_explained_variance_ratio\n",
          out.f);
    for (size_t i = 0; i < s->n; i++) {
        fprintf(out.f, "%zu,%d,", i, s->prompt->tokens.tok[i]);
        prompt_csv(s->prompt, s->prompt->tokens.tok[i], out.f);
        fprintf(out.f, ",%.9g,%.9g,%.9g,%.9g\n", s->xy[2 * i], s->xy[2 * i + 1], s->pca.ratio[0],
                s->pca.ratio[1]);
    }
    return outfile_commit(&out);
}

static int write_npy(const struct scatter *s, const char *path)
{
    const size_t shape[2] = {s->n, 2};
    struct outfile out;
    const int code = outfile_open(&out, path);
    if (code) {
        return code;
    }
    float *xy = cli_alloc(2 * s->n, sizeof *xy);
    for (size_t i = 0; i < 2 * s->n; i++) {
        xy[i] = (float)s->xy[i];
    }
    npy_write(out.f, xy, shape, 2);
    free(xy);
    return outfile_commit(&out);
}

static void print_table(const struct scatter *s)
{
    printf("%4s  %9s  %9s  token\n", "pos", "PC 1", "PC 2");
    for (size_t i = 0; i < s->n; i++) {
        char *text = text_token(s->prompt->tokenizer, s->prompt->tokens.tok[i]);
        printf("%4zu  %9.4f  %9.4f  %s\n", i, s->xy[2 * i], s->xy[2 * i + 1], text);
        free(text);
    }
    printf("explained variance: %.1f%% and %.1f%%\n", 100.0 * s->pca.ratio[0],
           100.0 * s->pca.ratio[1]);
}

/* ---- picture --------------------------------------------------------------------------------- */

static int draw(const struct scatter *s, const char *path)
{
    char titles[2][64];
    struct plot *p = NULL;
    int code = plot_create(&p, 1152, 864, 144);
    if (code) {
        return code;
    }
    double *axis = cli_alloc(2 * s->n, sizeof *axis); /* [2][n] */
    char **labels =
        label_create(s->prompt->tokenizer, s->prompt->tokens.tok, s->n, LABEL_TEXT, false);
    struct plot_axes ax = {.title = "2D PCA of GPT-2 Token Embeddings", .x_title = titles[0],
                           .y_title = titles[1]};
    for (size_t k = 0; k < 2; k++) {
        snprintf(titles[k], sizeof titles[k], "PC %zu (%.1f%% of the variance)", k + 1,
                 100.0 * s->pca.ratio[k]);
        for (size_t i = 0; i < s->n; i++) {
            axis[k * s->n + i] = s->xy[2 * i + k];
        }
    }
    plot_axes_range(axis, s->n, &ax.x_min, &ax.x_max);
    plot_axes_range(axis + s->n, s->n, &ax.y_min, &ax.y_max);
    plot_axes_place(p, &ax, plot_whole(p));
    plot_axes_draw(p, &ax);
    plot_scatter(p, &ax, axis, axis + s->n, (const char *const *)labels, s->n, plot_cycle(0));
    code = plot_save(p, path);
    label_free(labels, s->n);
    free(axis);
    plot_free(&p);
    return code;
}

static int write_file(const struct scatter *s, const char *what, enum ending ending,
                      const char *path)
{
    switch (ending) {
    case ENDING_CSV: return write_csv(s, path);
    case ENDING_JSON: return jsonout_print(make_json(s, what), path);
    case ENDING_NPY: return write_npy(s, path);
    default: return draw(s, path);
    }
}

int embed_pca(const struct embed *e, const struct cli_common *common, enum ending ending)
{
    struct scatter s = {.prompt = &e->prompt, .n = e->prompt.tokens.n_tok};
    const size_t n_embd = (size_t)e->prompt.hp->n_embd;
    int code = EXIT_OK;
    s.xy = cli_alloc(s.n, 2 * sizeof *s.xy);
    if (!pca_fit(e->x, s.n, n_embd, s.xy, &s.pca)) {
        code = cli_fail(EXIT_MEMORY, "no memory: %zu bytes for the PCA of %zu vectors",
                        pca_bytes(s.n, n_embd), s.n);
    }
    if (!code && s.pca.variance[0] == 0.0) {
        cli_note(common, s.n == 1 ? "one token has no variance: its point is the origin"
                                  : "all vectors are equal: their points are the origin");
    }
    if (!code && ending) {
        code = write_file(&s, e->what, ending, common->output);
    }
    if (!code && common->json) {
        code = jsonout_print(make_json(&s, e->what), NULL);
    } else if (!code && !ending) {
        print_table(&s);
    }
    free(s.xy);
    return code;
}
