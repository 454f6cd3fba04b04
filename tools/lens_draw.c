/* The picture of the logit lens: the likeliest token written in each cell, its probability as the
 * colour. Of a long text only the end is drawn. */
#include "heatmap.h"
#include "lens.h"

#include <stdlib.h>
#include <string.h>

enum { DPI = 144 };
static const double text_px = 8.0 / 72 * DPI; /* the size in which heatmap.h writes into cells */
static const double cell_px = 48.0 / 72 * DPI;

struct picture {
    const struct lens *lens;
    struct font *font;
    int32_t begin, n_cols;  /* of lens->pos */
    size_t n_rows, n_cells; /* n_layer + 1, [n_rows][n_cols] */
    float *p;               /* [n_cells] */
    char **texts;           /* [n_cells], then [n_cols] of the input and [n_rows] numbers */
    size_t n_texts;
};

static char *label(const struct picture *pic, gpt2c_token token)
{
    size_t n = 0;
    const char *bytes = gpt2c_tokenizer_bytes(pic->lens->prompt.tokenizer, token, &n);
    return plot_escape_px(pic->font, bytes ? bytes : "", n, true, text_px, cell_px);
}

static bool fill(struct picture *pic)
{
    const struct lens *lens = pic->lens;
    bool ok = true;
    for (size_t i = 0; i < pic->n_cells; i++) {
        const int32_t layer = (int32_t)(i / (size_t)pic->n_cols);
        const int32_t at = pic->begin + (int32_t)(i % (size_t)pic->n_cols);
        const struct lens_guess *guess = lens_cell(lens, layer, at);
        pic->p[i] = (float)guess->p;
        pic->texts[i] = label(pic, guess->id);
        ok &= pic->texts[i] != NULL;
    }
    for (int32_t i = 0; i < pic->n_cols; i++) {
        const int32_t pos = lens->pos[pic->begin + i];
        char **text = &pic->texts[pic->n_cells + (size_t)i];
        *text = label(pic, lens->prompt.tokens.tok[pos]);
        ok &= *text != NULL;
    }
    for (size_t i = 0; i < pic->n_rows; i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        char **text = &pic->texts[pic->n_texts - pic->n_rows + i];
        *text = strdup(number);
        ok &= *text != NULL;
    }
    return ok;
}

static int paint(const struct picture *pic, const char *title, const char *path)
{
    const char *const *texts = (const char *const *)pic->texts;
    struct heatmap_panel panel = {.v = pic->p, .texts = texts};
    struct heatmap map = {.panels = &panel, .n_panels = 1, .n_across = 1,
                          .n_rows = (int)pic->n_rows, .n_cols = pic->n_cols,
                          .row_labels = texts + pic->n_texts - pic->n_rows,
                          .col_labels = texts + pic->n_cells,
                          .title = title, .x_title = "Input Tokens", .y_title = "Blocks Done",
                          .bar_title = "Probability", .level_names = true,
                          .map = COLORMAP_VIRIDIS, .norm = HEATMAP_LINEAR, .vmin = 0, .vmax = 1,
                          .dpi = DPI, .flat = true};
    struct plot *plot = NULL;
    int code = heatmap_draw(&map, &plot);
    if (!code) {
        code = plot_save(plot, path);
    }
    plot_free(&plot);
    return code;
}

int lens_draw(const struct lens *lens, const char *path)
{
    struct picture pic = {.lens = lens, .n_rows = (size_t)lens->prompt.hp->n_layer + 1};
    char title[80] = "GPT-2 Logit Lens";
    pic.n_cols = lens->n_pos < LENS_COLUMNS ? lens->n_pos : LENS_COLUMNS;
    pic.begin = lens->n_pos - pic.n_cols;
    pic.n_cells = pic.n_rows * (size_t)pic.n_cols;
    pic.n_texts = pic.n_cells + (size_t)pic.n_cols + pic.n_rows;
    pic.p = cli_alloc(pic.n_cells, sizeof *pic.p);
    pic.texts = cli_alloc(pic.n_texts, sizeof *pic.texts);
    pic.font = font_create();
    if (pic.n_cols < lens->n_asked) {
        snprintf(title, sizeof title, "GPT-2 Logit Lens (last %d of %d positions)", pic.n_cols,
                 lens->n_asked);
    }
    const int code = pic.font && fill(&pic) ? paint(&pic, title, path)
                                            : cli_fail(EXIT_MEMORY, "no memory for the texts of %s",
                                                       path);
    for (size_t i = 0; i < pic.n_texts; i++) {
        free(pic.texts[i]);
    }
    free(pic.texts);
    free(pic.p);
    font_free(&pic.font);
    return code;
}
