/* The tables are generated; this file owns the rule from value to entry. */
#include "colormap.h"

#include "colormap_tables.h"

#include <math.h>
#include <stddef.h>

const char *const colormap_names[] = {"magma",   "viridis", "inferno", "plasma",
                                      "cividis", "rocket",  "gray",    NULL};

struct color colormap_entry(enum colormap map, int i)
{
    static const uint8_t (*const tables[])[3] = {
        [COLORMAP_MAGMA] = colormap_magma,     [COLORMAP_VIRIDIS] = colormap_viridis,
        [COLORMAP_INFERNO] = colormap_inferno, [COLORMAP_PLASMA] = colormap_plasma,
        [COLORMAP_CIVIDIS] = colormap_cividis, [COLORMAP_ROCKET] = colormap_rocket,
        [COLORMAP_GRAY] = colormap_gray,
    };
    const uint8_t *c = tables[map][i];
    return (struct color){c[0], c[1], c[2]};
}

int colormap_index(float x, float vmin, float vmax)
{
    if (isnan(x)) {
        return -1;
    }
    if (vmin == vmax) {
        return 0;
    }
    const float i = (x - vmin) / (vmax - vmin) * 256.0F;
    return i >= 256.0F ? 255 : i > 0.0F ? (int)i : 0;
}
