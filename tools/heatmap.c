/* Layout first, from the metrics of all texts, so that the canvas holds everything; then paint. */
#include "heatmap.h"

#include "cli.h"

#include <math.h>
#include <stdlib.h>

const char *const heatmap_norm_names[] = {"log1p", "linear", "sqrt", NULL};

/* Sizes in points. A panel alone aims at seaborn's size; names are set smaller and then the panel
 * grows before names are left out. */
enum { SIDE_PT = 331, MOST_PT = 820, MANY_PT = 450, GRID_PT = 780, EDGE_PT = 10, BAR_GAP_PT = 17 };

float heatmap_norm(enum heatmap_norm norm, float v)
{
    switch (norm) {
    case HEATMAP_LOG1P:
        return (float)log1p((double)v);
    case HEATMAP_SQRT:
        return (float)sqrt((double)v);
    case HEATMAP_LINEAR:
        break;
    }
    return v;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool is_hidden(const struct heatmap *h, int row, int col)
{
    return (h->hide_upper && col > row) || (h->hide_first && col == 0);
}

/* NaN where there is nothing to show. */
static float shown(const struct heatmap *h, const struct heatmap_panel *panel, int row, int col)
{
    if (is_hidden(h, row, col)) {
        return NAN;
    }
    const float v = panel->v[(size_t)row * (size_t)h->n_cols + (size_t)col];
    return heatmap_norm(h->norm, v);
}

struct range {
    float min, max; /* of the finite values; min > max: none */
};

static struct range find_range(const struct heatmap *h, const struct heatmap_panel *panel)
{
    struct range r = {INFINITY, -INFINITY};
    for (int row = 0; row < h->n_rows; row++) {
        for (int col = 0; col < h->n_cols; col++) {
            const float v = shown(h, panel, row, col);
            if (isfinite(v)) {
                r.min = v < r.min ? v : r.min;
                r.max = v > r.max ? v : r.max;
            }
        }
    }
    return r;
}

static void apply_range(const struct heatmap *h, struct heatmap_panel *panel, struct range r)
{
    const bool none = r.min > r.max;
    panel->vmin = !h->auto_min ? h->vmin : none ? 0 : r.min;
    panel->vmax = !h->auto_max ? h->vmax : none ? 1 : r.max;
    if (h->auto_max && panel->vmax < panel->vmin) {
        panel->vmax = panel->vmin;
    }
    if (h->auto_min && panel->vmin > panel->vmax) {
        panel->vmin = panel->vmax;
    }
}

/* Sets every panel's range; *all: that of the values of all panels. */
static void set_ranges(struct heatmap *h, struct range *each, struct range *all)
{
    *all = (struct range){INFINITY, -INFINITY};
    for (int i = 0; i < h->n_panels; i++) {
        each[i] = find_range(h, &h->panels[i]);
        all->min = each[i].min < all->min ? each[i].min : all->min;
        all->max = each[i].max > all->max ? each[i].max : all->max;
    }
    for (int i = 0; i < h->n_panels; i++) {
        apply_range(h, &h->panels[i], h->each ? each[i] : *all);
    }
}

/* ---- layout ---------------------------------------------------------------------------------- */

struct layout {
    double cell_w, cell_h; /* pixels of a cell; below 1: a part of a pixel */
    double label_pt, text_pt;
    int n_down;
    double panel_w, panel_h;
    double pitch_x, pitch_y; /* from panel to panel */
    double left, top;        /* of the first panel */
    double lift;             /* of the title, where it would meet the colour bar */
    double grid_w, grid_h;
    struct plot_colorbar bar;
    const char *bar_title; /* NULL also where it is longer than the bar of a panel */
    double width, height;  /* of the canvas */
};

static double points(const struct heatmap *h, double pt)
{
    return pt * h->dpi / 72;
}

/* A side of n cells in about `pt` points, in whole pixels, or whole cells a pixel. */
static double fit_cells(const struct heatmap *h, int n, double pt)
{
    const double cell = points(h, pt) / n;
    return cell >= 1 ? floor(cell) : 1 / ceil(1 / cell);
}

static double widest_text(const struct heatmap *h, const struct plot *ruler, double pt)
{
    double widest = 0;
    for (int i = 0; i < h->n_panels; i++) {
        for (int j = 0; h->panels[i].texts && j < h->n_rows * h->n_cols; j++) {
            if (h->panels[i].texts[j]) {
                widest = fmax(widest, plot_text_width(ruler, pt, h->panels[i].texts[j]));
            }
        }
    }
    return widest;
}

static bool has_names(const struct heatmap *h)
{
    return !h->no_ticks && (h->row_labels || h->col_labels);
}

static void choose_cells(const struct heatmap *h, const struct plot *ruler, struct layout *l)
{
    const int n = h->n_rows > h->n_cols ? h->n_rows : h->n_cols;
    const double line = 1.4142; /* em that a slanted name takes along the axis */
    double cell = fit_cells(h, n, SIDE_PT);
    l->label_pt = PLOT_PT_LABEL;
    l->text_pt = PLOT_PT_SMALL + 1;
    if (h->cell > 0) {
        l->label_pt = fmax(PLOT_PT_SMALL, fmin(PLOT_PT_LABEL, floor(h->cell / line / h->dpi * 72)));
    } else if (h->n_panels > 1) {
        const int across = h->n_across > l->n_down ? h->n_across : l->n_down;
        cell = fit_cells(h, n, fmin(SIDE_PT * 0.75, GRID_PT / (double)across));
        l->label_pt = PLOT_PT_SMALL + 1;
    } else if (has_names(h) && cell < ceil(points(h, PLOT_PT_LABEL * line))) {
        const double small = ceil(points(h, PLOT_PT_SMALL * line));
        const bool all = small * n <= points(h, MOST_PT);
        cell = all ? fmax(cell, small) : ceil(points(h, MANY_PT) / n);
        l->label_pt = all ? fmax(PLOT_PT_SMALL, floor(cell / line / h->dpi * 72))
                          : PLOT_PT_SMALL + 1;
    } else if (h->n_panels == 1 && cell < ceil(points(h, MANY_PT) / n) && cell < 2) {
        cell = ceil(points(h, MANY_PT) / n);
    }
    const double text = widest_text(h, ruler, l->text_pt);
    if (text > 0) {
        const double wide = ceil(text + points(h, 5));
        const double high = plot_line_height(ruler, l->text_pt) + points(h, 3);
        cell = h->flat ? cell : fmax(cell, fmax(wide, high));
        l->cell_w = wide;
        l->cell_h = ceil(high);
    } else {
        l->cell_w = fit_cells(h, h->n_cols, SIDE_PT * 1.5);
        l->cell_h = fit_cells(h, h->n_rows, SIDE_PT);
        l->cell_w = l->cell_w < 1 ? 1 : l->cell_w;
        l->cell_h = l->cell_h < 1 ? 1 : l->cell_h;
    }
    if (h->cell > 0) {
        l->cell_w = l->cell_h = h->cell;
    } else if (!h->flat) {
        l->cell_w = l->cell_h = cell;
    }
    l->panel_w = ceil(h->n_cols * l->cell_w - 1e-9);
    l->panel_h = ceil(h->n_rows * l->cell_h - 1e-9);
}

static struct plot_axes panel_axes(const struct heatmap *h, const struct layout *l, bool labels_x,
                                   bool labels_y)
{
    static const char *const nothing[1] = {""};
    const bool names_x = h->col_labels || !labels_x;
    const bool names_y = h->row_labels || !labels_y;
    return (struct plot_axes){
        .x_min = -0.5, .x_max = h->n_cols - 0.5, .y_min = -0.5, .y_max = h->n_rows - 0.5,
        .y_down = true, .x_whole = true, .y_whole = true, .label_pt = l->label_pt,
        .x_labels = !labels_x ? nothing : names_x ? h->col_labels : NULL,
        .y_labels = !labels_y ? nothing : names_y ? h->row_labels : NULL,
        .n_x_labels = labels_x && names_x ? h->n_cols : 0,
        .n_y_labels = labels_y && names_y ? h->n_rows : 0,
        .x_rising = labels_x && h->col_labels && !h->level_names,
    };
}

static double widest_of(const struct plot *ruler, double pt, const char *const *names, int n)
{
    double widest = 0;
    for (int i = 0; names && i < n; i++) {
        widest = fmax(widest, plot_text_width(ruler, pt, names[i]));
    }
    return widest;
}

static bool any_title(const struct heatmap *h)
{
    for (int i = 0; i < h->n_panels; i++) {
        if (h->panels[i].title) {
            return true;
        }
    }
    return false;
}

static struct plot_colorbar bar_of(const struct heatmap *h, const struct heatmap_panel *panel,
                                   struct range values, double height, const char *title)
{
    const double width = fmax(points(h, 8), fmin(points(h, 16), floor(height / 20)));
    return (struct plot_colorbar){
        .map = h->map, .vmin = panel->vmin, .vmax = panel->vmax, .title = title,
        .under = values.min < panel->vmin, .over = values.max > panel->vmax,
        .box = {0, 0, floor(width), height}};
}

static void choose_layout(const struct heatmap *h, const struct plot *ruler,
                          const struct range *each, struct range all, struct layout *l)
{
    l->n_down = (h->n_panels + h->n_across - 1) / h->n_across;
    choose_cells(h, ruler, l);
    const struct plot_axes ax = panel_axes(h, l, !h->no_ticks, !h->no_ticks);
    const struct plot_box m = plot_axes_margins(ruler, &ax, l->panel_w, l->panel_h);
    const double label_line = plot_line_height(ruler, PLOT_PT_LABEL);
    const double title_line = plot_line_height(ruler, PLOT_PT_TITLE);
    const double panel_line =
        any_title(h) ? plot_line_height(ruler, l->label_pt) + points(h, 2) : 0;
    const double bar_height = fmax(points(h, 60), fmin(l->panel_h, points(h, MANY_PT)));
    const bool fits = !h->each || !h->bar_title ||
                      plot_text_width(ruler, PLOT_PT_LABEL, h->bar_title) <= bar_height;
    l->bar_title = fits ? h->bar_title : NULL;

    /* Between panels: a gap, their titles, their own colour bars. */
    double bars = 0;
    for (int i = 0; h->each && i < h->n_panels; i++) {
        l->bar = bar_of(h, &h->panels[i], each[i], bar_height, l->bar_title);
        bars = fmax(bars, points(h, BAR_GAP_PT) / 2 + plot_colorbar_width(ruler, &l->bar));
    }
    l->pitch_x = ceil(l->panel_w + bars + points(h, h->each ? 16 : 6));
    l->pitch_y = ceil(fmax(l->panel_h, h->each ? bar_height : 0) + panel_line + points(h, 6));
    l->grid_w = l->pitch_x * (h->n_across - 1) + l->panel_w;
    l->grid_h = l->pitch_y * (l->n_down - 1) + l->panel_h;

    /* Around them. */
    const double names_w = widest_of(ruler, PLOT_PT_LABEL, h->down_labels, l->n_down);
    l->left = points(h, EDGE_PT) + (h->y_title ? label_line + points(h, 4) : 0) +
              (names_w > 0 ? names_w + points(h, 6) : 0) + m.x0;
    l->top = points(h, EDGE_PT) + (h->title ? title_line + points(h, 6) : 0) +
             (h->across_labels ? label_line + points(h, 2) : 0) + panel_line +
             (h->title || h->across_labels || panel_line > 0 ? 0 : m.y0);
    double right = points(h, EDGE_PT) + m.x1;
    if (h->each) {
        right = fmax(right, points(h, EDGE_PT) + bars);
    } else {
        l->bar = bar_of(h, &h->panels[0], all,
                        fmax(points(h, 60), fmin(l->grid_h, points(h, MOST_PT))), l->bar_title);
        right += points(h, BAR_GAP_PT) + plot_colorbar_width(ruler, &l->bar);
    }
    double bottom = points(h, EDGE_PT) + m.y1 + (h->x_title ? label_line + points(h, 4) : 0);

    /* Titles and bars that are longer than the grid. */
    const double title_w = fmax(h->title ? plot_text_width(ruler, PLOT_PT_TITLE, h->title) : 0,
                                h->x_title ? plot_text_width(ruler, PLOT_PT_LABEL, h->x_title) : 0);
    const double beside = (title_w - l->grid_w) / 2 + points(h, EDGE_PT);
    l->left = ceil(fmax(l->left, beside));
    right = fmax(right, beside);
    double high = h->y_title ? plot_text_width(ruler, PLOT_PT_LABEL, h->y_title) : 0;
    if (l->bar.title) {
        high = fmax(high, plot_text_width(ruler, PLOT_PT_LABEL, l->bar.title));
    }
    high = fmax(high, l->bar.box.y1 + l->bar.box.x1 - l->bar.box.x0 + label_line);
    const double above = (high - (h->each ? l->panel_h : l->grid_h)) / 2 + points(h, EDGE_PT);
    const bool meets = h->title && title_w > l->grid_w + 2 * points(h, BAR_GAP_PT);
    l->lift = meets ? fmax(0, above - points(h, EDGE_PT)) : 0;
    l->top = ceil(fmax(l->top + l->lift, above));
    bottom = fmax(bottom, above);
    l->width = ceil(l->left + l->grid_w + right);
    l->height = ceil(l->top + l->grid_h + bottom);
}

/* ---- paint ----------------------------------------------------------------------------------- */

static struct color color_of(const struct heatmap *h, const struct heatmap_panel *panel, float v)
{
    const int i = colormap_index(v, panel->vmin, panel->vmax);
    return i < 0 ? PLOT_PALE : colormap_entry(h->map, i);
}

/* The largest value among the cells that share the pixel (px, py) of a panel; NaN: none. */
static float pooled(const struct heatmap *h, const struct heatmap_panel *panel,
                    const struct layout *l, int px, int py)
{
    const int row0 = (int)floor(py / l->cell_h + 1e-9);
    const int col0 = (int)floor(px / l->cell_w + 1e-9);
    const int row1 = (int)fmin(h->n_rows, fmax(row0 + 1, floor((py + 1) / l->cell_h + 1e-9)));
    const int col1 = (int)fmin(h->n_cols, fmax(col0 + 1, floor((px + 1) / l->cell_w + 1e-9)));
    float best = NAN;
    for (int row = row0; row < row1; row++) {
        for (int col = col0; col < col1; col++) {
            const float v = shown(h, panel, row, col);
            best = isnan(best) || v > best ? v : best;
        }
    }
    return best;
}

static void paint_cells(const struct heatmap *h, const struct heatmap_panel *panel,
                        const struct layout *l, struct plot *p)
{
    const int x0 = (int)panel->box.x0;
    const int y0 = (int)panel->box.y0;
    if (l->cell_w < 1 || l->cell_h < 1) {
        for (int y = 0; y < (int)l->panel_h; y++) {
            for (int x = 0; x < (int)l->panel_w; x++) {
                plot_pixel(p, x0 + x, y0 + y, color_of(h, panel, pooled(h, panel, l, x, y)));
            }
        }
        return;
    }
    const int w = (int)l->cell_w;
    const int ht = (int)l->cell_h;
    for (int row = 0; row < h->n_rows; row++) {
        for (int col = 0; col < h->n_cols; col++) {
            plot_fill(p, x0 + col * w, y0 + row * ht, x0 + (col + 1) * w, y0 + (row + 1) * ht,
                      color_of(h, panel, shown(h, panel, row, col)));
        }
    }
}

static void paint_texts(const struct heatmap *h, const struct heatmap_panel *panel,
                        const struct layout *l, struct plot *p)
{
    struct plot_style style = {.pt = l->text_pt, .along = PLOT_CENTER, .across = PLOT_MIDDLE};
    for (int row = 0; panel->texts && row < h->n_rows; row++) {
        for (int col = 0; col < h->n_cols; col++) {
            const char *text = panel->texts[row * h->n_cols + col];
            if (!text || plot_text_width(p, l->text_pt, text) > l->cell_w ||
                plot_line_height(p, l->text_pt) > l->cell_h + 1) {
                continue;
            }
            style.color = plot_ink_on(color_of(h, panel, shown(h, panel, row, col)));
            plot_text(p, panel->box.x0 + (col + 0.5) * l->cell_w,
                      panel->box.y0 + (row + 0.5) * l->cell_h, &style, text);
        }
    }
}

/* A line between what was given and what was generated; white and black, to show on any colour. */
static void paint_mark(const struct heatmap *h, const struct heatmap_panel *panel,
                       const struct layout *l, struct plot *p)
{
    const int at_x = (int)(panel->box.x0 + floor(h->mark * l->cell_w));
    const int at_y = (int)(panel->box.y0 + floor(h->mark * l->cell_h));
    if (h->mark <= 0 || l->cell_w < 4) {
        return;
    }
    const int x0 = (int)panel->box.x0;
    const int y0 = (int)panel->box.y0;
    const int dash = (int)ceil(points(h, 3));
    for (int i = 0; i < (int)l->panel_w; i++) {
        plot_pixel(p, x0 + i, at_y, i / dash % 2 ? PLOT_GRAY : PLOT_WHITE);
    }
    for (int i = 0; i < (int)l->panel_h; i++) {
        plot_pixel(p, at_x, y0 + i, i / dash % 2 ? PLOT_GRAY : PLOT_WHITE);
    }
}

static void paint_panel(struct heatmap *h, int i, const struct layout *l, struct range values,
                        struct plot *p)
{
    struct heatmap_panel *panel = &h->panels[i];
    const int across = i % h->n_across;
    const int down = i / h->n_across;
    panel->box.x0 = l->left + across * l->pitch_x;
    panel->box.y0 = l->top + down * l->pitch_y;
    panel->box.x1 = panel->box.x0 + l->panel_w;
    panel->box.y1 = panel->box.y0 + l->panel_h;
    paint_cells(h, panel, l, p);
    paint_mark(h, panel, l, p);
    paint_texts(h, panel, l, p);
    if (!h->no_ticks) {
        /* Names stand left of the first panels and below the lowest of each column. */
        struct plot_axes ax = panel_axes(h, l, i + h->n_across >= h->n_panels, across == 0);
        ax.box = panel->box;
        plot_axes_labels(p, &ax);
    }
    if (panel->title) {
        const struct plot_style style = {.pt = l->label_pt, .along = PLOT_CENTER};
        plot_text(p, (panel->box.x0 + panel->box.x1) / 2, panel->box.y0 - points(h, 3), &style,
                  panel->title);
    }
    if (h->each) {
        struct plot_colorbar bar =
            bar_of(h, panel, values, l->bar.box.y1 - l->bar.box.y0, l->bar_title);
        const double shift = panel->box.x1 + floor(points(h, BAR_GAP_PT) / 2);
        bar.box.x0 += shift;
        bar.box.x1 += shift;
        const double drop =
            floor((panel->box.y0 + panel->box.y1 - bar.box.y1) / 2);
        bar.box.y0 += drop;
        bar.box.y1 = floor(bar.box.y1) + drop;
        plot_colorbar(p, &bar);
    }
}

static void paint_around(const struct heatmap *h, const struct layout *l, struct plot *p)
{
    const double cx = l->left + l->grid_w / 2;
    const double cy = l->top + l->grid_h / 2;
    const double label_line = plot_line_height(p, PLOT_PT_LABEL);
    struct plot_style style = {.pt = PLOT_PT_LABEL, .along = PLOT_CENTER, .across = PLOT_MIDDLE};
    if (h->x_title) {
        plot_text(p, cx, l->height - points(h, EDGE_PT) - label_line / 2, &style, h->x_title);
    }
    double top = l->top - (any_title(h) ? plot_line_height(p, l->label_pt) + points(h, 2) : 0);
    for (int i = 0; h->across_labels && i < h->n_across; i++) {
        plot_text(p, l->left + i * l->pitch_x + l->panel_w / 2,
                  top - points(h, 2) - label_line / 2, &style, h->across_labels[i]);
    }
    top -= h->across_labels ? label_line + points(h, 2) : 0;
    if (h->title) {
        const struct plot_style heading = {.pt = PLOT_PT_TITLE, .along = PLOT_CENTER};
        plot_text(p, cx, top - points(h, 6) - l->lift, &heading, h->title);
    }
    double x = points(h, EDGE_PT);
    if (h->y_title) {
        style.direction = FONT_UPWARD;
        plot_text(p, x + label_line / 2, cy, &style, h->y_title);
        x += label_line + points(h, 4);
        style.direction = FONT_LEVEL;
    }
    style.along = PLOT_LEFT;
    for (int i = 0; h->down_labels && i < l->n_down; i++) {
        plot_text(p, x, l->top + i * l->pitch_y + l->panel_h / 2, &style, h->down_labels[i]);
    }
    if (!h->each) {
        struct plot_colorbar bar = l->bar;
        const double shift = floor(l->left + l->grid_w + points(h, BAR_GAP_PT));
        const double height = floor(bar.box.y1);
        bar.box.x0 += shift;
        bar.box.x1 += shift;
        bar.box.y0 = floor(cy - height / 2);
        bar.box.y1 = bar.box.y0 + height;
        plot_colorbar(p, &bar);
    }
}

int heatmap_draw(struct heatmap *h, struct plot **out)
{
    struct plot *ruler = NULL; /* measures text before the size of the canvas is known */
    struct range *each = calloc((size_t)h->n_panels, sizeof *each);
    struct range all;
    struct layout l = {0};
    *out = NULL;
    h->dpi = h->dpi > 0 ? h->dpi : 144;
    int code = each ? plot_create(&ruler, 1, 1, h->dpi)
                    : cli_fail(EXIT_MEMORY, "out of memory: %d panels", h->n_panels);
    if (code == EXIT_OK) {
        set_ranges(h, each, &all);
        choose_layout(h, ruler, each, all, &l);
        h->cell_px = l.cell_w;
        code = plot_create(out, (int64_t)l.width, (int64_t)l.height, h->dpi);
    }
    if (code == EXIT_OK) {
        for (int i = 0; i < h->n_panels; i++) {
            paint_panel(h, i, &l, each[i], *out);
        }
        paint_around(h, &l, *out);
    }
    plot_free(&ruler);
    free(each);
    return code;
}
