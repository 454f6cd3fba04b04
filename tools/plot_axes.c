/* Axes: round ticks, names that thin out before they touch, titles, legends, bars, colour bars. */
#include "plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TICK_PT = 4, GAP_PT = 3, TITLE_GAP_PT = 5, EDGE_PT = 8 };

/* ---- ticks ----------------------------------------------------------------------------------- */

/* The step mantissa * 10^exponent, and its multiples without rounding errors. */
static double multiple(double i, double mantissa, int exponent)
{
    double power = 1;
    for (int k = 0; k < (exponent < 0 ? -exponent : exponent); k++) {
        power *= 10;
    }
    return exponent < 0 ? i * mantissa / power : i * mantissa * power;
}

static void tick_text(double v, int decimals, char *out, size_t cap)
{
    char s[24];
    if (fabs(v) >= 1e6 || decimals > 6) {
        snprintf(s, sizeof s, "%.6g", v);
    } else {
        snprintf(s, sizeof s, "%.*f", decimals, v);
    }
    const bool negative = s[0] == '-';
    snprintf(out, cap, "%s%s", negative ? "\xE2\x88\x92" : "", s + negative);
}

void plot_ticks(double min, double max, int max_n, bool whole, struct plot_ticks *out)
{
    static const double mantissas[] = {1, 2, 2.5, 5};
    out->n = 0;
    if (!(min <= max) || !isfinite(max - min)) {
        return;
    }
    if (min == max) {
        out->n = 1;
        out->at[0] = min;
        tick_text(min, min == floor(min) ? 0 : 6, out->text[0], sizeof out->text[0]);
        return;
    }
    const double slack = (max - min) * 1e-9;
    for (int exponent = (int)floor(log10((max - min) / max_n)) - 1;; exponent++) {
        for (int m = 0; m < 4; m++) {
            const double step = multiple(1, mantissas[m], exponent);
            if (whole && step != floor(step)) {
                continue;
            }
            const double first = ceil((min - slack) / step);
            const double last = floor((max + slack) / step);
            if (last - first >= max_n || last - first >= PLOT_MAX_TICKS) {
                continue;
            }
            const int decimals = exponent < 0 ? -exponent : 0;
            for (double i = first; i <= last; i++) {
                out->at[out->n] = multiple(i + 0.0, mantissas[m], exponent); /* never -0 */
                tick_text(out->at[out->n], m == 2 && exponent <= 0 ? decimals + 1 : decimals,
                          out->text[out->n], sizeof out->text[0]);
                out->n++;
            }
            return;
        }
    }
}

int plot_thin(int n, double pitch, double need)
{
    if (n <= 0 || pitch * n < need) {
        return 0;
    }
    const double most = floor(n * pitch / need); /* that many fit */
    return pitch >= need ? 1 : (int)floor(n / most) + 1;
}

/* ---- labels along the axes ------------------------------------------------------------------- */

struct side { /* what one axis shows */
    const char *const *names; /* NULL: ticks */
    int n_names, every;
    bool rising;
    struct plot_ticks ticks;
    double widest;
};

static double label_pt(const struct plot_axes *ax)
{
    return ax->label_pt > 0 ? ax->label_pt : PLOT_PT_LABEL;
}

static void names_along_x(const struct plot *p, const struct plot_axes *ax, double w,
                          struct side *s)
{
    const double pt = label_pt(ax);
    const double pitch = w / (ax->x_max - ax->x_min);
    s->names = ax->x_labels;
    s->n_names = ax->n_x_labels;
    for (int i = 0; i < s->n_names; i++) {
        s->widest = fmax(s->widest, plot_text_width(p, pt, s->names[i]));
    }
    s->rising = ax->x_rising || s->widest + plot_pt(p, pt) / 2 > pitch;
    /* Slanted lines of text lie pitch * sin 45 apart; 0.98 em is a line from top to bottom. */
    s->every = plot_thin(s->n_names, pitch, s->rising ? plot_pt(p, pt) * 0.98 * 1.41422 : 0.001);
    s->widest = 0;
    for (int i = 0; s->every > 0 && i < s->n_names; i += s->every) {
        s->widest = fmax(s->widest, plot_text_width(p, pt, s->names[i]));
    }
}

/* Few whole numbers are all named where there is room. */
static int most_ticks(double min, double max, bool whole, double length, double need)
{
    if (whole && max - min < PLOT_MAX_TICKS && length / (max - min) >= need) {
        return PLOT_MAX_TICKS;
    }
    const double most = floor(length / need / 1.4);
    return most > 11 ? 11 : most < 2 ? 2 : (int)most;
}

static void ticks_along_x(const struct plot *p, const struct plot_axes *ax, double w,
                          struct side *s)
{
    const double pt = label_pt(ax);
    for (int most = most_ticks(ax->x_min, ax->x_max, ax->x_whole, w, 1.5 * plot_pt(p, pt));
         most >= 2; most--) {
        plot_ticks(ax->x_min, ax->x_max, most, ax->x_whole, &s->ticks);
        s->widest = 0;
        for (int i = 0; i < s->ticks.n; i++) {
            s->widest = fmax(s->widest, plot_text_width(p, pt, s->ticks.text[i]));
        }
        const double pitch = s->ticks.n > 1 ? (s->ticks.at[1] - s->ticks.at[0]) * w /
                                                  (ax->x_max - ax->x_min) : w;
        if (s->widest + plot_pt(p, pt) <= pitch) {
            return;
        }
    }
    s->ticks.n = s->ticks.n > 1 ? 1 : s->ticks.n;
}

static void side_x(const struct plot *p, const struct plot_axes *ax, double w, struct side *s)
{
    memset(s, 0, sizeof *s);
    if (ax->x_labels) {
        names_along_x(p, ax, w, s);
    } else {
        ticks_along_x(p, ax, w, s);
    }
}

static void side_y(const struct plot *p, const struct plot_axes *ax, double h, struct side *s)
{
    const double pt = label_pt(ax);
    const double line = plot_line_height(p, pt);
    memset(s, 0, sizeof *s);
    if (ax->y_labels) {
        s->names = ax->y_labels;
        s->n_names = ax->n_y_labels;
        s->every = plot_thin(s->n_names, h / (ax->y_max - ax->y_min), plot_pt(p, pt));
        for (int i = 0; s->every > 0 && i < s->n_names; i += s->every) {
            s->widest = fmax(s->widest, plot_text_width(p, pt, s->names[i]));
        }
        return;
    }
    plot_ticks(ax->y_min, ax->y_max, most_ticks(ax->y_min, ax->y_max, ax->y_whole, h, 1.1 * line),
               ax->y_whole, &s->ticks);
    for (int i = 0; i < s->ticks.n; i++) {
        s->widest = fmax(s->widest, plot_text_width(p, pt, s->ticks.text[i]));
    }
}

struct plot_box plot_axes_margins(const struct plot *p, const struct plot_axes *ax, double w,
                                  double h)
{
    const double pt = label_pt(ax);
    const double mark = plot_pt(p, TICK_PT + GAP_PT);
    const double title_line = plot_line_height(p, PLOT_PT_LABEL) + plot_pt(p, TITLE_GAP_PT);
    struct side x;
    struct side y;
    side_x(p, ax, w, &x);
    side_y(p, ax, h, &y);
    struct plot_box m = {0};
    const double half_line = plot_line_height(p, pt) / 2;
    m.x0 = y.widest > 0 ? mark + y.widest : 0;
    m.y0 = half_line;
    m.y1 = half_line;
    if (x.rising) {
        /* The first name reaches left of the box by its width along the slope. */
        const double pitch = w / (ax->x_max - ax->x_min);
        for (int i = 0; x.every > 0 && i < x.n_names; i += x.every) {
            const double reach = plot_text_width(p, pt, x.names[i]) * 0.70711 + plot_pt(p, pt);
            m.x0 = fmax(m.x0, reach - (i - ax->x_min) * pitch);
        }
        m.y1 = fmax(m.y1, mark + (x.widest + plot_pt(p, pt)) * 0.70711 + plot_pt(p, 2));
    } else if (x.widest > 0) {
        m.y1 = fmax(m.y1, mark + plot_line_height(p, pt));
        m.x1 = x.widest / 2;
        m.x0 = fmax(m.x0, x.widest / 2);
    }
    m.x0 += ax->y_title ? title_line : 0;
    m.y1 += ax->x_title ? title_line : 0;
    if (ax->title) {
        m.y0 = plot_line_height(p, PLOT_PT_TITLE) + plot_pt(p, TITLE_GAP_PT + 2);
    }
    return m;
}

void plot_axes_place(const struct plot *p, struct plot_axes *ax, struct plot_box area)
{
    const double edge = plot_pt(p, EDGE_PT);
    double w = area.x1 - area.x0;
    double h = area.y1 - area.y0;
    struct plot_box m = {0};
    /* The ticks depend on the box and the box on the ticks. */
    for (int round = 0; round < 3; round++) {
        m = plot_axes_margins(p, ax, w, h);
        w = fmax(1, area.x1 - area.x0 - m.x0 - m.x1 - 2 * edge);
        h = fmax(1, area.y1 - area.y0 - m.y0 - m.y1 - 2 * edge);
    }
    ax->box.x0 = ceil(area.x0 + edge + m.x0);
    ax->box.y0 = ceil(area.y0 + edge + m.y0);
    ax->box.x1 = floor(ax->box.x0 + w - 1);
    ax->box.y1 = floor(ax->box.y0 + h - 1);
}

/* ---- drawing --------------------------------------------------------------------------------- */

double plot_axes_x(const struct plot_axes *ax, double x)
{
    return ax->box.x0 + (x - ax->x_min) / (ax->x_max - ax->x_min) * (ax->box.x1 - ax->box.x0);
}

double plot_axes_y(const struct plot_axes *ax, double y)
{
    const double t = (y - ax->y_min) / (ax->y_max - ax->y_min);
    return ax->box.y0 + (ax->y_down ? t : 1 - t) * (ax->box.y1 - ax->box.y0);
}

void plot_axes_range(const double *v, size_t n, double *min, double *max)
{
    double low = INFINITY;
    double high = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        low = isfinite(v[i]) ? fmin(low, v[i]) : low;
        high = isfinite(v[i]) ? fmax(high, v[i]) : high;
    }
    const double margin = low < high ? 0.05 * (high - low) : 0.05 * fmax(fabs(low), 1);
    *min = low <= high ? low - margin : 0;
    *max = low <= high ? high + margin : 1;
}

static int thickness(const struct plot *p)
{
    const double px = floor(plot_pt(p, 0.8) + 0.5);
    return px < 1 ? 1 : (int)px;
}

static void mark_x(struct plot *p, const struct plot_axes *ax, double at)
{
    const int t = thickness(p);
    const int x = (int)floor(at - t / 2.0 + 0.5);
    const int y = (int)ax->box.y1;
    plot_fill(p, x, y, x + t, y + (int)ceil(plot_pt(p, TICK_PT)), PLOT_BLACK);
}

static void mark_y(struct plot *p, const struct plot_axes *ax, double at)
{
    const int t = thickness(p);
    const int y = (int)floor(at - t / 2.0 + 0.5);
    const int x = (int)ax->box.x0;
    plot_fill(p, x - (int)ceil(plot_pt(p, TICK_PT)), y, x, y + t, PLOT_BLACK);
}

static void labels_x(struct plot *p, const struct plot_axes *ax, const struct side *s)
{
    const double pt = label_pt(ax);
    const double y = ax->box.y1 + ceil(plot_pt(p, TICK_PT)) + plot_pt(p, GAP_PT);
    struct plot_style style = {.pt = pt, .along = PLOT_CENTER, .across = PLOT_TOP};
    for (int i = 0; i < s->ticks.n; i++) {
        const double x = plot_axes_x(ax, s->ticks.at[i]);
        mark_x(p, ax, x);
        plot_text(p, x, y, &style, s->ticks.text[i]);
    }
    for (int i = 0; s->every > 0 && i < s->n_names; i += s->every) {
        const double x = plot_axes_x(ax, i);
        mark_x(p, ax, x);
        if (s->rising) {
            /* The end of the text, at half its height, points at the mark. */
            const struct plot_style slope = {.pt = pt, .along = PLOT_RIGHT, .across = PLOT_MIDDLE,
                                             .direction = FONT_RISING};
            plot_text(p, x, y + plot_pt(p, pt) * 0.2, &slope, s->names[i]);
        } else {
            plot_text(p, x, y, &style, s->names[i]);
        }
    }
}

static void labels_y(struct plot *p, const struct plot_axes *ax, const struct side *s)
{
    const struct plot_style style = {.pt = label_pt(ax), .along = PLOT_RIGHT,
                                     .across = PLOT_MIDDLE};
    const double x = ax->box.x0 - ceil(plot_pt(p, TICK_PT)) - plot_pt(p, GAP_PT);
    for (int i = 0; i < s->ticks.n; i++) {
        const double y = plot_axes_y(ax, s->ticks.at[i]);
        mark_y(p, ax, y);
        plot_text(p, x, y, &style, s->ticks.text[i]);
    }
    for (int i = 0; s->every > 0 && i < s->n_names; i += s->every) {
        const double y = plot_axes_y(ax, i);
        mark_y(p, ax, y);
        plot_text(p, x, y, &style, s->names[i]);
    }
}

void plot_axes_labels(struct plot *p, const struct plot_axes *ax)
{
    const struct plot_box *b = &ax->box;
    struct side x;
    struct side y;
    side_x(p, ax, b->x1 - b->x0, &x);
    side_y(p, ax, b->y1 - b->y0, &y);
    labels_x(p, ax, &x);
    labels_y(p, ax, &y);
    const struct plot_box m = plot_axes_margins(p, ax, b->x1 - b->x0, b->y1 - b->y0);
    const double cx = (b->x0 + b->x1) / 2;
    const double cy = (b->y0 + b->y1) / 2;
    const double line = plot_line_height(p, PLOT_PT_LABEL);
    struct plot_style style = {.pt = PLOT_PT_LABEL, .along = PLOT_CENTER, .across = PLOT_MIDDLE};
    if (ax->x_title) {
        plot_text(p, cx, b->y1 + m.y1 - line / 2, &style, ax->x_title);
    }
    if (ax->y_title) {
        style.direction = FONT_UPWARD;
        plot_text(p, b->x0 - m.x0 + line / 2, cy, &style, ax->y_title);
    }
    if (ax->title) {
        style = (struct plot_style){.pt = PLOT_PT_TITLE, .along = PLOT_CENTER};
        plot_text(p, cx, b->y0 - plot_pt(p, TITLE_GAP_PT + 2), &style, ax->title);
    }
}

static void draw_grid(struct plot *p, const struct plot_axes *ax)
{
    const struct plot_box *b = &ax->box;
    const int t = thickness(p);
    struct side x;
    struct side y;
    side_x(p, ax, b->x1 - b->x0, &x);
    side_y(p, ax, b->y1 - b->y0, &y);
    for (int i = 0; i < x.ticks.n; i++) {
        const int at = (int)floor(plot_axes_x(ax, x.ticks.at[i]) - t / 2.0 + 0.5);
        plot_fill(p, at, (int)b->y0, at + t, (int)b->y1, PLOT_PALE);
    }
    for (int i = 0; i < y.ticks.n; i++) {
        const int at = (int)floor(plot_axes_y(ax, y.ticks.at[i]) - t / 2.0 + 0.5);
        plot_fill(p, (int)b->x0, at, (int)b->x1, at + t, PLOT_PALE);
    }
}

void plot_axes_draw(struct plot *p, const struct plot_axes *ax)
{
    const struct plot_box *b = &ax->box;
    if (ax->grid) {
        draw_grid(p, ax);
    }
    plot_axes_labels(p, ax);
    plot_frame(p, (int)b->x0, (int)b->y0, (int)b->x1, (int)b->y1, thickness(p), PLOT_BLACK);
}

/* ---- what stands in axes --------------------------------------------------------------------- */

void plot_curve(struct plot *p, const struct plot_axes *ax, const double *x, const double *y,
                size_t n, double pt, struct color color)
{
    enum { PIECE = 256 };
    double px[PIECE];
    double py[PIECE];
    plot_clip(p, &ax->box);
    for (size_t i = 0; i < n; i += PIECE - 1) {
        const size_t m = n - i < PIECE ? n - i : PIECE;
        for (size_t j = 0; j < m; j++) {
            px[j] = plot_axes_x(ax, x[i + j]);
            py[j] = plot_axes_y(ax, y[i + j]);
        }
        plot_polyline(p, px, py, m, pt, color);
    }
    plot_clip(p, NULL);
}

void plot_bars(struct plot *p, const struct plot_axes *ax, const double *value,
               const char *const *texts, int n, struct color color)
{
    const double pitch = (ax->box.y1 - ax->box.y0) / (ax->y_max - ax->y_min);
    const struct plot_style style = {.pt = PLOT_PT_LABEL, .across = PLOT_MIDDLE};
    for (int i = 0; i < n; i++) {
        const double x = plot_axes_x(ax, value[i]);
        const double y = plot_axes_y(ax, i);
        plot_clip(p, &ax->box);
        plot_fill(p, (int)floor(plot_axes_x(ax, 0) + 0.5), (int)floor(y - 0.4 * pitch + 0.5),
                  (int)floor(x + 0.5), (int)floor(y + 0.4 * pitch + 0.5), color);
        plot_clip(p, NULL);
        if (texts && texts[i]) {
            plot_text(p, x + plot_pt(p, GAP_PT), y, &style, texts[i]);
        }
    }
}

double plot_legend_width(const struct plot *p, const char *const *names, int n)
{
    double widest = 0;
    for (int i = 0; i < n; i++) {
        widest = fmax(widest, plot_text_width(p, PLOT_PT_LABEL, names[i]));
    }
    return ceil(plot_pt(p, 26) + widest);
}

void plot_legend(struct plot *p, double x, double y, const char *const *names, int n)
{
    const double line = plot_line_height(p, PLOT_PT_LABEL) * 1.15;
    const struct plot_style style = {.pt = PLOT_PT_LABEL, .across = PLOT_MIDDLE};
    for (int i = 0; i < n; i++) {
        const double at = y + (i + 0.5) * line;
        plot_line(p, x + plot_pt(p, 1), at, x + plot_pt(p, 19), at, 1.8, plot_cycle(i));
        plot_text(p, x + plot_pt(p, 26), at, &style, names[i]);
    }
}

/* ---- colour bar ------------------------------------------------------------------------------ */

static void bar_ticks(const struct plot *p, const struct plot_colorbar *bar,
                      struct plot_ticks *ticks)
{
    const double most =
        floor((bar->box.y1 - bar->box.y0) / (1.8 * plot_line_height(p, PLOT_PT_LABEL)));
    plot_ticks(bar->vmin, bar->vmax, most > 9 ? 9 : most < 2 ? 2 : (int)most, false, ticks);
}

static double bar_text_width(const struct plot *p, const struct plot_ticks *ticks)
{
    double widest = 0;
    for (int i = 0; i < ticks->n; i++) {
        widest = fmax(widest, plot_text_width(p, PLOT_PT_LABEL, ticks->text[i]));
    }
    return plot_pt(p, TICK_PT + GAP_PT) + widest;
}

double plot_colorbar_width(const struct plot *p, const struct plot_colorbar *bar)
{
    struct plot_ticks ticks;
    bar_ticks(p, bar, &ticks);
    const double title =
        bar->title ? plot_line_height(p, PLOT_PT_LABEL) + plot_pt(p, TITLE_GAP_PT) : 0;
    return ceil(bar->box.x1 - bar->box.x0 + bar_text_width(p, &ticks) + title);
}

void plot_colorbar(struct plot *p, const struct plot_colorbar *bar)
{
    const struct plot_box *b = &bar->box;
    const double height = b->y1 - b->y0;
    for (int y = 0; y < (int)height; y++) {
        const int i = (int)floor((height - 1 - y + 0.5) / height * 256);
        plot_fill(p, (int)b->x0, (int)b->y0 + y, (int)b->x1, (int)b->y0 + y + 1,
                  colormap_entry(bar->map, i));
    }
    const double cx = (b->x0 + b->x1) / 2;
    const double point = (b->x1 - b->x0) / 2;
    if (bar->over) {
        plot_triangle(p, (double[]){b->x0, b->x1, cx}, (double[]){b->y0, b->y0, b->y0 - point},
                      colormap_entry(bar->map, 255));
    }
    if (bar->under) {
        plot_triangle(p, (double[]){b->x0, b->x1, cx}, (double[]){b->y1, b->y1, b->y1 + point},
                      colormap_entry(bar->map, 0));
    }
    struct plot_ticks ticks;
    bar_ticks(p, bar, &ticks);
    const int t = thickness(p);
    const struct plot_style style = {.pt = PLOT_PT_LABEL, .across = PLOT_MIDDLE};
    for (int i = 0; i < ticks.n; i++) {
        const double share =
            bar->vmax > bar->vmin ? (ticks.at[i] - bar->vmin) / (bar->vmax - bar->vmin) : 0.5;
        const double at = b->y1 - share * height;
        const int y = (int)floor(at - t / 2.0 + 0.5);
        plot_fill(p, (int)b->x1, y, (int)b->x1 + (int)ceil(plot_pt(p, TICK_PT)), y + t, PLOT_BLACK);
        plot_text(p, b->x1 + ceil(plot_pt(p, TICK_PT)) + plot_pt(p, GAP_PT), at, &style,
                  ticks.text[i]);
    }
    if (bar->title) {
        const struct plot_style upward = {.pt = PLOT_PT_LABEL, .along = PLOT_CENTER,
                                          .across = PLOT_MIDDLE, .direction = FONT_UPWARD};
        plot_text(p, b->x0 + plot_colorbar_width(p, bar) - plot_line_height(p, PLOT_PT_LABEL) / 2,
                  (b->y0 + b->y1) / 2, &upward, bar->title);
    }
}
