/* The rule from value to colour, and anchors of each table (all entries: tests/reference). */
#include "check.h"
#include "colormap.h"

static void index_follows_matplotlib(void)
{
    CHECK_INT(colormap_index(0, 0, 1), 0);
    CHECK_INT(colormap_index(1, 0, 1), 255); /* the end belongs to the last entry */
    CHECK_INT(colormap_index(0.5F, 0, 1), 128);
    CHECK_INT(colormap_index(nextafterf(0.5F, 0), 0, 1), 127);
    CHECK_INT(colormap_index(-3, 0, 1), 0);
    CHECK_INT(colormap_index(7, 0, 1), 255);
    CHECK_INT(colormap_index(INFINITY, 0, 1), 255);
    CHECK_INT(colormap_index(-INFINITY, 0, 1), 0);
    CHECK_INT(colormap_index(NAN, 0, 1), -1);
    CHECK_INT(colormap_index(5, 2, 2), 0);
    CHECK_INT(colormap_index(0.075F, 0, 0.15F), 128);
    for (int i = 0; i < 256; i++) {
        CHECK_INT(colormap_index((float)i / 256, 0, 1), i);
    }
}

static void ends_are(enum colormap map, struct color first, struct color last)
{
    const struct color a = colormap_entry(map, 0);
    const struct color z = colormap_entry(map, 255);
    CHECK_INT(a.r << 16 | a.g << 8 | a.b, first.r << 16 | first.g << 8 | first.b);
    CHECK_INT(z.r << 16 | z.g << 8 | z.b, last.r << 16 | last.g << 8 | last.b);
}

int main(void)
{
    index_follows_matplotlib();
    ends_are(COLORMAP_MAGMA, (struct color){0, 0, 4}, (struct color){252, 253, 191});
    ends_are(COLORMAP_VIRIDIS, (struct color){68, 1, 84}, (struct color){253, 231, 37});
    ends_are(COLORMAP_INFERNO, (struct color){0, 0, 4}, (struct color){252, 255, 164});
    ends_are(COLORMAP_PLASMA, (struct color){13, 8, 135}, (struct color){240, 249, 33});
    ends_are(COLORMAP_CIVIDIS, (struct color){0, 34, 78}, (struct color){254, 232, 56});
    ends_are(COLORMAP_ROCKET, (struct color){3, 5, 26}, (struct color){250, 235, 221});
    ends_are(COLORMAP_GRAY, (struct color){0, 0, 0}, (struct color){255, 255, 255});
    for (int i = 0; i < 256; i++) {
        CHECK_INT(colormap_entry(COLORMAP_GRAY, i).g, i);
    }
    return check_result();
}
