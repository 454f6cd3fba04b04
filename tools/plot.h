/* The plotting layer: a white canvas, text, lines, and on them axes, legends and scattered labels.
 *
 * Pixels: x to the right, y down, 0 is the left or upper edge of the first pixel. Sizes of text and
 * lines are points (1/72 inch), as in matplotlib; plot_pt turns them into pixels. All texts are
 * drawable text (font.h): plot_escape makes it of any bytes. Everything drawn is clipped to the
 * canvas, or to the box of plot_clip. A drawing call that runs out of memory marks the plot, and
 * plot_save fails.
 *
 * A figure of fixed size, such as a line plot:
 *
 *   struct plot *p = NULL;
 *   struct plot_axes ax = {.title = "…", .x_title = "…", .x_max = 9, .y_min = -1, .y_max = 1};
 *   if ((code = plot_create(&p, 1152, 864, 144)) == EXIT_OK) {
 *       plot_axes_place(p, &ax, plot_whole(p));   (finds the box that leaves room for the labels)
 *       plot_axes_draw(p, &ax);
 *       plot_curve(p, &ax, x, y, n, 1.5, plot_cycle(0));
 *       code = plot_save(p, path);
 *   }
 *   plot_free(&p);
 *
 * Matrices with a colour bar, labelled rows and columns and text in cells: heatmap.h. */
#ifndef PLOT_H
#define PLOT_H

#include "colormap.h"
#include "font.h"

struct plot;

struct plot_box { /* x0 <= x < x1, y0 <= y < y1 */
    double x0, y0, x1, y1;
};

/* ---- canvas (plot.c) ------------------------------------------------------------------------- */

/* Each returns an exit code and prints its error. */
int plot_create(struct plot **out, int64_t w, int64_t h, double dpi);
int plot_save(const struct plot *p, const char *path); /* PNG; "-" is stdout */
void plot_free(struct plot **p);
void plot_fail(struct plot *p); /* marks it: out of memory while drawing */

const struct font *plot_font(const struct plot *p);
int plot_width(const struct plot *p);
int plot_height(const struct plot *p);
const uint8_t *plot_pixels(const struct plot *p); /* [h][w][3] */
struct plot_box plot_whole(const struct plot *p);
double plot_pt(const struct plot *p, double pt); /* in pixels */

#define PLOT_BLACK ((struct color){0, 0, 0})
#define PLOT_WHITE ((struct color){255, 255, 255})
#define PLOT_GRAY ((struct color){128, 128, 128})
#define PLOT_PALE ((struct color){225, 225, 225}) /* grids; cells that are not shown */
struct color plot_cycle(int i);                   /* matplotlib's ten colours of curves */
struct color plot_ink_on(struct color background); /* black or white, whichever reads better */

void plot_clip(struct plot *p, const struct plot_box *box); /* NULL: the canvas */
void plot_pixel(struct plot *p, int x, int y, struct color color);
void plot_fill(struct plot *p, int x0, int y0, int x1, int y1, struct color color);
void plot_frame(struct plot *p, int x0, int y0, int x1, int y1, int width, struct color color);
void plot_line(struct plot *p, double x0, double y0, double x1, double y1, double pt,
               struct color color);
/* x, y [n]; what is not finite breaks the line. */
void plot_polyline(struct plot *p, const double *x, const double *y, size_t n, double pt,
                   struct color color);
void plot_disc(struct plot *p, double x, double y, double radius_pt, struct color color);
void plot_triangle(struct plot *p, const double x[3], const double y[3], struct color color);

/* ---- text (plot.c) --------------------------------------------------------------------------- */

enum { /* points, as matplotlib's defaults */
    PLOT_PT_TITLE = 12,
    PLOT_PT_LABEL = 10,
    PLOT_PT_SMALL = 7
};

enum plot_along { PLOT_LEFT, PLOT_CENTER, PLOT_RIGHT };              /* in reading direction */
enum plot_across { PLOT_BASELINE, PLOT_BOTTOM, PLOT_MIDDLE, PLOT_TOP }; /* of the capitals    */

struct plot_style {
    double pt;
    struct color color; /* zeroed: black */
    enum plot_along along;
    enum plot_across across;
    enum font_direction direction;
};

double plot_text_width(const struct plot *p, double pt, const char *text);
double plot_line_height(const struct plot *p, double pt);
/* Puts that point of the text which the style names at x, y. */
void plot_text(struct plot *p, double x, double y, const struct plot_style *style,
               const char *text);
/* The box around the text that plot_text would draw, ascenders and descenders included. */
struct plot_box plot_text_box(const struct plot *p, double x, double y,
                              const struct plot_style *style, const char *text);
/* Drawable text of any bytes, no wider than max_width pixels (0: any), cut with an ellipsis. Heap;
 * NULL: out of memory. */
char *plot_escape(const struct plot *p, const char *bytes, size_t n_bytes, bool spaces, double pt,
                  double max_width);
/* The same without a plot; px is the size of the em. */
char *plot_escape_px(const struct font *font, const char *bytes, size_t n_bytes, bool spaces,
                     double px, double max_width);

/* ---- axes (plot_axes.c) ---------------------------------------------------------------------- */

enum { PLOT_MAX_TICKS = 32 };

struct plot_ticks {
    int n;
    double at[PLOT_MAX_TICKS];
    char text[PLOT_MAX_TICKS][24];
};

/* Round numbers within [min, max], in steps of 1, 2, 2.5 or 5 times a power of ten, at most max_n
 * (2 … PLOT_MAX_TICKS) of them; `whole` allows only whole steps. */
void plot_ticks(double min, double max, int max_n, bool whole, struct plot_ticks *out);

/* How many labels to step over so that `n` of them, `pitch` pixels apart, each `need` pixels wide,
 * do not touch: 1 shows all, 0 when not even one fits (as seaborn's xticklabels="auto"). */
int plot_thin(int n, double pitch, double need);

struct plot_axes {
    const char *title, *x_title, *y_title; /* NULL: none */
    double x_min, x_max, y_min, y_max;
    bool y_down;                  /* y_min is at the top */
    bool x_whole, y_whole;        /* ticks at whole numbers only */
    bool grid;
    const char *const *x_labels;  /* [n_x_labels] at 0, 1, …: names instead of ticks; NULL: ticks */
    const char *const *y_labels;
    int n_x_labels, n_y_labels;
    double label_pt;              /* 0: PLOT_PT_LABEL */
    bool x_rising;                /* names on x stand at 45 degrees even when they fit level */
    struct plot_box box;          /* set by plot_axes_place: whole pixels */
};

/* Room that titles and labels need on each side of a box of w x h pixels (x0 is the left one). */
struct plot_box plot_axes_margins(const struct plot *p, const struct plot_axes *ax, double w,
                                  double h);
/* Sets ax->box, so that titles and labels fit around it inside `area`. */
void plot_axes_place(const struct plot *p, struct plot_axes *ax, struct plot_box area);
/* Frame, ticks, labels, titles and grid. */
void plot_axes_draw(struct plot *p, const struct plot_axes *ax);
/* Ticks, labels and titles alone, outside the box. */
void plot_axes_labels(struct plot *p, const struct plot_axes *ax);
double plot_axes_x(const struct plot_axes *ax, double x); /* data to pixels */
double plot_axes_y(const struct plot_axes *ax, double y);
/* The range of data plus 5 percent on both sides, as matplotlib's margins. */
void plot_axes_range(const double *v, size_t n, double *min, double *max);

void plot_curve(struct plot *p, const struct plot_axes *ax, const double *x, const double *y,
                size_t n, double pt, struct color color);
/* Bars to the right from x = 0 at y = 0, 1, … n-1, with `texts` (NULL: none) beside their ends. */
void plot_bars(struct plot *p, const struct plot_axes *ax, const double *value,
               const char *const *texts, int n, struct color color);

/* Names with a sample of their colour (plot_cycle 0 …), in a column from x, y; its width. */
double plot_legend_width(const struct plot *p, const char *const *names, int n);
void plot_legend(struct plot *p, double x, double y, const char *const *names, int n);

/* A colour bar in `box` with ticks and a title to its right. under, over: a point at that end says
 * that some values lie outside. */
struct plot_colorbar {
    enum colormap map;
    double vmin, vmax;
    const char *title; /* NULL: none */
    bool under, over;
    struct plot_box box; /* whole pixels */
};
/* Width from the left edge of the bar to the right end of its texts. */
double plot_colorbar_width(const struct plot *p, const struct plot_colorbar *bar);
void plot_colorbar(struct plot *p, const struct plot_colorbar *bar);

/* ---- scatter (plot_scatter.c) ---------------------------------------------------------------- */

/* Points at x, y [n] with labels (entries and the array may be NULL) that touch neither each other,
 * nor a point, nor the frame; a thin line leads from a label that had to move away. Of many points
 * only those have labels that have room beside them. */
void plot_scatter(struct plot *p, const struct plot_axes *ax, const double *x, const double *y,
                  const char *const *labels, size_t n, struct color color);

#endif
