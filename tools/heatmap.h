/* Matrices as pictures: cells of whole pixels, one panel or a grid of them, labels, colour bar. */
#ifndef HEATMAP_H
#define HEATMAP_H

#include "plot.h"

enum heatmap_norm { HEATMAP_LOG1P, HEATMAP_LINEAR, HEATMAP_SQRT };
extern const char *const heatmap_norm_names[]; /* NULL-terminated: a CLI_CHOICE */

float heatmap_norm(enum heatmap_norm norm, float v);

struct heatmap_panel {
    const float *v;           /* [n_rows][n_cols]; NaN: no value, a pale cell              */
    const char *title;        /* above the panel; NULL: none                               */
    const char *const *texts; /* [n_rows * n_cols] in the cells, entries may be NULL; NULL */
    struct plot_box box;      /* set: pixels of the cells                                  */
    float vmin, vmax;         /* set: the range of the colours, after the norm             */
};

struct heatmap {
    struct heatmap_panel *panels; /* [n_panels], n_across in a row of the grid */
    int n_panels, n_across;
    int n_rows, n_cols;                  /* of every panel */
    const char *const *row_labels;       /* [n_rows]; NULL: numbers */
    const char *const *col_labels;       /* [n_cols] */
    const char *const *across_labels;    /* [n_across] heads of the grid's columns; NULL: none */
    const char *const *down_labels;      /* of its rows */
    const char *title, *x_title, *y_title, *bar_title; /* NULL: none */
    bool no_ticks;                       /* neither names nor numbers along the panels */
    bool level_names;                    /* names of columns level where they fit, not slanted */
    enum colormap map;
    enum heatmap_norm norm;
    bool auto_min, auto_max;             /* from the values shown, else: */
    float vmin, vmax;                    /* range of the colours, after the norm */
    bool each;                           /* every panel its own range and colour bar */
    bool hide_upper;                     /* above the diagonal: pale, not in the range */
    bool hide_first;                     /* the first column likewise */
    int mark;                            /* > 0: a thin line before this row and column */
    double dpi;                          /* 0: 144 */
    int cell;                            /* side of a cell in pixels; 0: chosen */
    bool flat;                           /* cells need not be square: as high as their text, or to
                                            fill a figure when there are very many */
    double cell_px;                      /* set: pixels a cell is wide; 1/k where k share a pixel */
};

/* Draws into a new plot. Where several cells share a pixel it shows the largest. Returns an exit
 * code and prints its error. */
int heatmap_draw(struct heatmap *h, struct plot **out);

#endif
