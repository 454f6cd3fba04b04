/* gpt2c posenc: positional encodings, the fixed one of sines and the one that the model learned. */
#include "commands.h"
#include "ending.h"
#include "heatmap.h"
#include "jsonout.h"
#include "npy.h"
#include "sinusoid.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum kind { SINUSOIDAL, LEARNED };
enum { MOST_CURVES = 10 }; /* as many as there are colours */

static const char *const kind_names[] = {"sinusoidal", "learned", NULL};
static const char *const plot_names[] = {"heatmap", "lines", NULL};
static const char *const exponent_names[] = {"standard", "doubled", NULL};

struct posenc_job {
    struct cli_common common;
    int kind, plot, exponent, map;
    int32_t n_pos, n_dim; /* 0: not given */
    const char *dim_text;
    double dpi;
    enum ending ending;
    gpt2c_model *model;
    int32_t *dims;
    int32_t n_dims; /* curves */
    float *v;       /* [n_pos][n_dim] */
};

/* ---- numbers --------------------------------------------------------------------------------- */

static int choose_sizes(struct posenc_job *job)
{
    if (job->kind == SINUSOIDAL) {
        job->n_pos = job->n_pos ? job->n_pos : 1024;
        job->n_dim = job->n_dim ? job->n_dim : 768;
        return EXIT_OK;
    }
    const int code = cli_open(&job->common, &job->model, NULL);
    if (code) {
        return code;
    }
    const gpt2c_hparams *hp = gpt2c_model_hparams(job->model);
    job->n_pos = job->n_pos ? job->n_pos : hp->n_ctx;
    job->n_dim = job->n_dim ? job->n_dim : hp->n_embd;
    if (job->n_pos > hp->n_ctx || job->n_dim > hp->n_embd) {
        return cli_fail(EXIT_USAGE,
                        "the model has %d positions of %d dimensions; asked for %d of %d",
                        hp->n_ctx, hp->n_embd, job->n_pos, job->n_dim);
    }
    return EXIT_OK;
}

static int fill(struct posenc_job *job)
{
    const size_t n_pos = (size_t)job->n_pos;
    const size_t n_dim = (size_t)job->n_dim;
    job->v = calloc(n_pos, n_dim * sizeof *job->v);
    if (!job->v) {
        return cli_fail(EXIT_MEMORY, "out of memory: %zu bytes for %zu positions",
                        n_pos * n_dim * sizeof *job->v, n_pos);
    }
    if (job->kind == LEARNED) {
        float *row = cli_alloc((size_t)gpt2c_model_hparams(job->model)->n_embd, sizeof *row);
        gpt2c_error err = {.code = GPT2C_OK};
        for (size_t pos = 0; pos < n_pos && !err.code; pos++) {
            err.code = gpt2c_model_wpe(job->model, (int32_t)pos, row, &err);
            memcpy(job->v + pos * n_dim, row, n_dim * sizeof *row);
        }
        free(row);
        return err.code ? cli_fail_status(&err) : EXIT_OK;
    }
    for (size_t pos = 0; pos < n_pos && !cli_interrupted(); pos++) {
        for (size_t dim = 0; dim < n_dim; dim++) {
            job->v[pos * n_dim + dim] = (float)(job->exponent
                                                    ? sinusoid_doubled(pos, dim, n_dim)
                                                    : sinusoid(pos, dim, n_dim));
        }
    }
    return cli_interrupted() ? EXIT_INTERRUPTED : EXIT_OK;
}

static int write_numbers(const struct posenc_job *job)
{
    struct outfile out;
    const int code = outfile_open(&out, job->common.output);
    if (code) {
        return code;
    }
    const size_t shape[2] = {(size_t)job->n_pos, (size_t)job->n_dim};
    if (job->ending == ENDING_NPY) {
        npy_write(out.f, job->v, shape, 2);
    } else {
        for (size_t i = 0; i < shape[0] * shape[1]; i++) {
            char text[32];
            fprintf(out.f, "%s%c", text_float(text, job->v[i]),
                    (i + 1) % shape[1] == 0 ? '\n' : ',');
        }
    }
    return outfile_commit(&out);
}

/* ---- pictures -------------------------------------------------------------------------------- */

static void print_json(const struct posenc_job *job, const struct plot_box *box, double vmin,
                       double vmax)
{
    cJSON *document = jsonout_document();
    cJSON_AddStringToObject(document, "kind", kind_names[job->kind]);
    cJSON_AddItemToObject(document, "positions", jsonout_int(job->n_pos));
    cJSON_AddItemToObject(document, "dims", jsonout_int(job->n_dim));
    if (box) {
        const int32_t axes[4] = {(int32_t)box->x0, (int32_t)box->y0, (int32_t)box->x1,
                                 (int32_t)box->y1};
        cJSON_AddItemToObject(document, "axes", jsonout_ints(axes, 4));
        cJSON_AddItemToObject(document, "vmin", jsonout_double(vmin));
        cJSON_AddItemToObject(document, "vmax", jsonout_double(vmax));
    }
    jsonout_print(document, NULL);
}

static void make_title(const struct posenc_job *job, char *out, size_t cap)
{
    snprintf(out, cap, "%s Positional Encoding (%d positions \xC3\x97 %d dims)%s",
             job->kind == SINUSOIDAL ? "Sinusoidal" : "Learned", job->n_pos, job->n_dim,
             job->exponent ? ", doubled exponent" : "");
}

static int draw_heatmap(const struct posenc_job *job)
{
    char title[128];
    make_title(job, title, sizeof title);
    struct heatmap_panel panel = {.v = job->v};
    struct heatmap h = {
        .panels = &panel, .n_panels = 1, .n_across = 1, .n_rows = job->n_pos, .n_cols = job->n_dim,
        .title = title, .x_title = "Embedding Dimension", .y_title = "Position Index",
        .map = (enum colormap)job->map, .norm = HEATMAP_LINEAR, .flat = true, .dpi = job->dpi,
        .vmin = -1, .vmax = 1, .auto_min = job->kind == LEARNED, .auto_max = job->kind == LEARNED};
    struct plot *p = NULL;
    int code = heatmap_draw(&h, &p);
    if (!code) {
        code = plot_save(p, job->common.output);
    }
    if (!code && job->common.json) {
        print_json(job, &panel.box, (double)panel.vmin, (double)panel.vmax);
    }
    plot_free(&p);
    return code;
}

static int draw_lines(const struct posenc_job *job)
{
    char title[128];
    char names[MOST_CURVES][24];
    const char *legend[MOST_CURVES];
    struct plot *p = NULL;
    const double dpi = job->dpi > 0 ? job->dpi : 144;
    int code = plot_create(&p, (int64_t)(8 * dpi), (int64_t)(5 * dpi), dpi);
    if (code) {
        return code;
    }
    const size_t n_pos = (size_t)job->n_pos;
    double *x = cli_alloc(n_pos, sizeof *x);
    double *y = cli_alloc(n_pos * (size_t)job->n_dims, sizeof *y);
    for (int32_t i = 0; i < job->n_dims; i++) {
        snprintf(names[i], sizeof names[i], "dim %d", job->dims[i]);
        legend[i] = names[i];
        for (size_t pos = 0; pos < n_pos; pos++) {
            x[pos] = (double)pos;
            y[(size_t)i * n_pos + pos] =
                (double)job->v[pos * (size_t)job->n_dim + (size_t)job->dims[i]];
        }
    }
    make_title(job, title, sizeof title);
    struct plot_axes ax = {.title = title, .x_title = "Position Index", .y_title = "Value",
                           .x_max = job->n_pos > 1 ? job->n_pos - 1 : 1, .x_whole = true,
                           .grid = true};
    plot_axes_range(y, n_pos * (size_t)job->n_dims, &ax.y_min, &ax.y_max);
    struct plot_box area = plot_whole(p);
    area.x1 -= plot_legend_width(p, legend, job->n_dims) + plot_pt(p, 8);
    plot_axes_place(p, &ax, area);
    plot_axes_draw(p, &ax);
    for (int32_t i = 0; i < job->n_dims; i++) {
        plot_curve(p, &ax, x, y + (size_t)i * n_pos, n_pos, 1.3, plot_cycle(i));
    }
    plot_legend(p, ax.box.x1 + plot_pt(p, 8), ax.box.y0, legend, job->n_dims);
    code = plot_save(p, job->common.output);
    if (!code && job->common.json) {
        print_json(job, &ax.box, ax.y_min, ax.y_max);
    }
    plot_free(&p);
    free(x);
    free(y);
    return code;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int run_job(struct posenc_job *job)
{
    static const enum ending endings[] = {ENDING_PNG, ENDING_NPY, ENDING_CSV, ENDING_NONE};
    if (!job->common.output) {
        return cli_fail(EXIT_USAGE, "where to? Give -o FILE: .png for the picture, .npy or .csv "
                                    "for the numbers");
    }
    int code = ending_find(&job->common, endings, &job->ending);
    if (!code) {
        code = choose_sizes(job);
    }
    if (!code && (job->plot == 1 || job->dim_text)) {
        job->plot = 1;
        code = cli_parse_list(job->dim_text ? job->dim_text : "0", "dim", job->n_dim, &job->dims,
                              &job->n_dims);
        if (!code && job->n_dims > MOST_CURVES) {
            return cli_fail(EXIT_USAGE, "--dim: at most %d curves in a picture; got %d",
                            MOST_CURVES, job->n_dims);
        }
    }
    if (!code) {
        code = fill(job);
    }
    if (code) {
        return code;
    }
    if (job->ending == ENDING_PNG) {
        return job->plot == 1 ? draw_lines(job) : draw_heatmap(job);
    }
    code = write_numbers(job);
    if (!code && job->common.json) {
        print_json(job, NULL, 0, 0);
    }
    return code;
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
    struct posenc_job job = {.map = COLORMAP_VIRIDIS};
    const struct cli_option options[] = {
        {0, "kind", "NAME", CLI_CHOICE, &job.kind, "the fixed encoding, or the model's wpe", 0, 0,
         kind_names},
        {0, "positions", "N", CLI_INT, &job.n_pos, "positions (default 1024; learned: all)", 1,
         1 << 20, NULL},
        {0, "dims", "N", CLI_INT, &job.n_dim, "dimensions (default 768; learned: all)", 1, 1 << 16,
         NULL},
        {0, "exponent", "HOW", CLI_CHOICE, &job.exponent,
         "doubled: the variant of notebooks that write 2*i/d where i is even already", 0, 0,
         exponent_names},
        {0, "plot", "HOW", CLI_CHOICE, &job.plot, "all as colours, or some dimensions as curves", 0,
         0, plot_names},
        {0, "dim", "LIST", CLI_STRING, &job.dim_text, "dimensions to draw as curves: 0,1,2", 0, 0,
         NULL},
        {0, "cmap", "NAME", CLI_CHOICE, &job.map, "colour map", 0, 0, colormap_names},
        {0, "dpi", "N", CLI_REAL, &job.dpi, "dots per inch: the size of all things (default 144)",
         30, 1200, NULL},
        {0},
    };
    int code = EXIT_OK;
    if (!cli_parse(cmd, options, &job.common, argc, argv, NULL, &code)) {
        return code;
    }
    code = run_job(&job);
    free(job.dims);
    free(job.v);
    gpt2c_model_close(&job.model);
    return code;
}

const struct cli_command cmd_posenc = {
    .name = "posenc",
    .summary = "Draw a positional encoding, or write it as numbers.",
    .usage = "gpt2c posenc [options] -o FILE",
    .examples = "gpt2c posenc -o pe.png\n"
                "gpt2c posenc --plot lines --dim 0,1,20,21 --positions 100 -o curves.png\n"
                "gpt2c posenc --kind learned -o wpe.npy",
    .groups = CLI_MODEL | CLI_OUTPUT | CLI_JSON,
    .run = run,
};
