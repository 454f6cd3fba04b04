/* Colour maps: matplotlib's and seaborn's own tables of 256 colours. */
#ifndef COLORMAP_H
#define COLORMAP_H

#include <stdint.h>

struct color {
    uint8_t r, g, b;
};

enum colormap {
    COLORMAP_MAGMA,
    COLORMAP_VIRIDIS,
    COLORMAP_INFERNO,
    COLORMAP_PLASMA,
    COLORMAP_CIVIDIS,
    COLORMAP_ROCKET,
    COLORMAP_GRAY
};

extern const char *const colormap_names[]; /* by enum colormap, NULL-terminated: a CLI_CHOICE */

/* Entry i of the table, 0 … 255. */
struct color colormap_entry(enum colormap map, int i);
/* Which entry shows x in [vmin, vmax]: matplotlib's rule, in float32 as for float32 data: the range
 * is cut into 256 equal parts, vmax belongs to the last, what lies outside takes the nearest end.
 * -1 for NaN. vmin == vmax: 0. */
int colormap_index(float x, float vmin, float vmax);

#endif
