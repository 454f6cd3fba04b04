/* Scattered points with labels that find a free place near their point. */
#include "plot.h"

#include <math.h>
#include <stdlib.h>

enum { RADIUS_PT = 3, MANY = 100, RINGS = 24 };

static bool touch(const struct plot_box *a, const struct plot_box *b)
{
    return a->x0 < b->x1 && b->x0 < a->x1 && a->y0 < b->y1 && b->y0 < a->y1;
}

static bool inside(const struct plot_box *a, const struct plot_box *b)
{
    return a->x0 >= b->x0 && a->x1 <= b->x1 && a->y0 >= b->y0 && a->y1 <= b->y1;
}

/* Boxes taken: those of the n points, then those of the labels placed so far. */
struct taken {
    struct plot_box *box;
    size_t n;
};

static bool is_free(const struct taken *taken, const struct plot_box *box)
{
    for (size_t i = 0; i < taken->n; i++) {
        if (touch(&taken->box[i], box)) {
            return false;
        }
    }
    return true;
}

/* Looks on growing rings around x, y, first to the right and above, for a place of w x h. */
static bool find_place(const struct plot *p, const struct plot_box *frame,
                       const struct taken *taken, int n_rings, double x, double y, double w,
                       double h, struct plot_box *out, double *away)
{
    static const double side[8][2] = {{1, -1}, {1, 1}, {-1, -1}, {-1, 1},
                                      {1, 0},  {-1, 0}, {0, -1},  {0, 1}};
    for (int ring = 0; ring < n_rings; ring++) {
        const double gap = plot_pt(p, RADIUS_PT + 1 + 5 * ring);
        for (int i = 0; i < 8; i++) {
            const double along = side[i][0] != 0 && side[i][1] != 0 ? 0.75 : 1;
            const double cx = x + side[i][0] * (gap * along + w / 2);
            const double cy = y + side[i][1] * (gap * along + h / 2);
            const struct plot_box box = {cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2};
            if (inside(&box, frame) && is_free(taken, &box)) {
                *out = box;
                *away = ring;
                return true;
            }
        }
    }
    return false;
}

void plot_scatter(struct plot *p, const struct plot_axes *ax, const double *x, const double *y,
                  const char *const *labels, size_t n, struct color color)
{
    struct taken taken = {calloc(2 * n + 1, sizeof *taken.box), 0};
    const double r = plot_pt(p, RADIUS_PT) + 1;
    const double edge = plot_pt(p, 2);
    const int n_rings = n > MANY ? 1 : RINGS; /* the leaders of many labels would hide the points */
    const struct plot_box frame = {ax->box.x0 + edge, ax->box.y0 + edge, ax->box.x1 - edge,
                                   ax->box.y1 - edge};
    if (!taken.box) {
        plot_fail(p);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const double px = plot_axes_x(ax, x[i]);
        const double py = plot_axes_y(ax, y[i]);
        plot_disc(p, px, py, RADIUS_PT, color);
        taken.box[taken.n++] = (struct plot_box){px - r, py - r, px + r, py + r};
    }
    for (size_t i = 0; labels && i < n; i++) {
        const double px = plot_axes_x(ax, x[i]);
        const double py = plot_axes_y(ax, y[i]);
        const double h = plot_line_height(p, PLOT_PT_LABEL);
        struct plot_box box;
        double away = 0;
        if (!labels[i] ||
            !find_place(p, &frame, &taken, n_rings, px, py,
                        ceil(plot_text_width(p, PLOT_PT_LABEL, labels[i])) + edge, h, &box,
                        &away)) {
            continue;
        }
        taken.box[taken.n++] = box;
        if (away > 0) {
            const double tx = fmin(fmax(px, box.x0), box.x1);
            const double ty = fmin(fmax(py, box.y0), box.y1);
            plot_line(p, px, py, tx, ty, 0.5, PLOT_GRAY);
        }
        const struct plot_style style = {.pt = PLOT_PT_LABEL, .along = PLOT_CENTER,
                                         .across = PLOT_MIDDLE};
        plot_text(p, (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, &style, labels[i]);
    }
    free(taken.box);
}
