/* PNG files from RGB pixels. */
#ifndef PNG_H
#define PNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* True when a picture of w x h pixels can be made: positive, and its bytes within 1 GiB, where the
 * encoder's own arithmetic is still safe. */
bool png_size_ok(int64_t w, int64_t h);

/* Writes rgb [h][w][3] to f with its resolution. The bytes depend on the pixels and dpi alone.
 * False: out of memory; an error of f is left in f for its owner to find. */
bool png_write(FILE *f, int w, int h, const uint8_t *rgb, double dpi);

#endif
