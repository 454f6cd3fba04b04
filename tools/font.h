/* The one typeface of the pictures, DejaVu Sans, embedded: metrics and anti-aliased outlines.
 *
 * Text is UTF-8 in which every character has a glyph (font_has); font_escape makes such text of any
 * bytes. FONT_SOFT and FONT_PLAIN switch to a paler ink and back: they mark what stands for
 * something else, such as the escape of a control byte, and have no width. */
#ifndef FONT_H
#define FONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FONT_SOFT '\x01'
#define FONT_PLAIN '\x02'

struct font;

struct font *font_create(void); /* NULL: out of memory */
void font_free(struct font **font);

bool font_has(const struct font *font, uint32_t ch); /* has a glyph with ink, or is a space */

/* Makes drawable text of any bytes: what has no glyph, control characters and bytes that are not
 * UTF-8 become escapes (\n, \x1b, \u4e2d, \U0001f600, <E4 B8>) in soft ink. With `spaces` a space
 * shows as a soft open box. Heap; NULL: out of memory. */
char *font_escape(const struct font *font, const char *bytes, size_t n_bytes, bool spaces);

/* px is the size of the em in pixels. Heights above the baseline, of the face as a whole. */
double font_cap_height(double px);
double font_ascent(double px);
double font_descent(double px); /* positive */
double font_width(const struct font *font, double px, const char *text);

enum font_direction { /* counter-clockwise */
    FONT_LEVEL,
    FONT_RISING, /* 45 degrees */
    FONT_UPWARD  /* 90 degrees */
};

/* Where a point `along` the baseline and `above` it comes to lie, from the origin; y grows down. */
void font_turn(enum font_direction direction, double along, double above, double *dx, double *dy);

/* Receives one glyph: cover [h][w], 255 is full ink, top left pixel at x, y. */
typedef void (*font_ink_fn)(void *user, int x, int y, int w, int h, const uint8_t *cover,
                            bool soft);

/* Draws text with its origin (baseline, left end) at x, y. False: out of memory. */
bool font_draw(const struct font *font, double px, const char *text, double x, double y,
               enum font_direction direction, font_ink_fn ink, void *user);

#endif
