/* One bar a token; the picture grows with their number. */
#include "next_chart.h"

#include "cli.h"
#include "label.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DPI = 144, BAR_PT = 20, AROUND_PT = 78, WIDTH_PT = 560 };

int next_chart(const gpt2c_tokenizer *tokenizer, const struct dist *d, const gpt2c_token *top,
               int32_t k, const char *path)
{
    struct plot *p = NULL;
    int code = plot_create(&p, WIDTH_PT * DPI / 72,
                           ((int64_t)k * BAR_PT + AROUND_PT) * DPI / 72, DPI);
    if (code) {
        return code;
    }
    char **names = label_create(tokenizer, top, (size_t)k, LABEL_TEXT, false);
    double *value = cli_alloc((size_t)k, sizeof *value);
    char(*texts)[16] = cli_alloc((size_t)k, sizeof *texts);
    const char **shown = cli_alloc((size_t)k, sizeof *shown);
    double widest = 0;
    for (int32_t i = 0; i < k; i++) {
        value[i] = exp(dist_log_p(d, top[i]));
        snprintf(texts[i], sizeof texts[i], value[i] < 0.00005 ? "%.1e" : "%.4f", value[i]);
        shown[i] = texts[i];
        widest = fmax(widest, plot_text_width(p, PLOT_PT_LABEL, texts[i]));
    }
    struct plot_axes ax = {.title = "Next Token", .x_title = "Probability", .y_min = -0.6,
                           .y_max = k - 0.4, .y_down = true, .n_y_labels = k,
                           .y_labels = (const char *const *)names, .x_max = value[0]};
    plot_axes_place(p, &ax, plot_whole(p));
    /* Room for the number beside the longest bar. */
    const double width = ax.box.x1 - ax.box.x0;
    ax.x_max = value[0] * width / fmax(width / 4, width - widest - plot_pt(p, 10));
    plot_axes_place(p, &ax, plot_whole(p));
    plot_axes_draw(p, &ax);
    plot_bars(p, &ax, value, shown, k, plot_cycle(0));
    code = plot_save(p, path);
    plot_free(&p);
    label_free(names, (size_t)k);
    free(value);
    free(texts);
    free(shown);
    return code;
}
