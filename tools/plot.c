/* Canvas, shapes and text. Shapes are drawn by their exact or near exact coverage of each pixel. */
#include "plot.h"

#include "cli.h"
#include "outfile.h"
#include "png.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct plot {
    int w, h;
    double dpi;
    uint8_t *rgb; /* [h][w][3] */
    struct font *font;
    int clip_x0, clip_y0, clip_x1, clip_y1;
    bool failed; /* a drawing call ran out of memory */
};

int plot_create(struct plot **out, int64_t w, int64_t h, double dpi)
{
    *out = NULL;
    if (!png_size_ok(w, h)) {
        return cli_fail(EXIT_RUNTIME, "a picture of %lld x %lld pixels is too large (limit 1 GiB): "
                        "show less, or use smaller cells or fewer dots per inch",
                        (long long)w, (long long)h);
    }
    struct plot *p = calloc(1, sizeof *p);
    const size_t n_bytes = (size_t)w * (size_t)h * 3;
    if (!p || !(p->rgb = malloc(n_bytes)) || !(p->font = font_create())) {
        plot_free(&p);
        return cli_fail(EXIT_MEMORY, "out of memory: %zu bytes for a picture", n_bytes);
    }
    memset(p->rgb, 255, n_bytes);
    p->w = (int)w;
    p->h = (int)h;
    p->dpi = dpi;
    plot_clip(p, NULL);
    *out = p;
    return EXIT_OK;
}

int plot_save(const struct plot *p, const char *path)
{
    struct outfile out;
    if (p->failed) {
        return cli_fail(EXIT_MEMORY, "out of memory: while drawing %s", path);
    }
    int code = outfile_open(&out, path);
    if (code != EXIT_OK) {
        return code;
    }
    if (!png_write(out.f, p->w, p->h, p->rgb, p->dpi)) {
        outfile_discard(&out);
        return cli_fail(EXIT_MEMORY, "out of memory: while writing %s", path);
    }
    return outfile_commit(&out);
}

void plot_free(struct plot **p)
{
    if (*p) {
        free((*p)->rgb);
        font_free(&(*p)->font);
    }
    free(*p);
    *p = NULL;
}

void plot_fail(struct plot *p)
{
    p->failed = true;
}

const struct font *plot_font(const struct plot *p)
{
    return p->font;
}

int plot_width(const struct plot *p)
{
    return p->w;
}

int plot_height(const struct plot *p)
{
    return p->h;
}

const uint8_t *plot_pixels(const struct plot *p)
{
    return p->rgb;
}

struct plot_box plot_whole(const struct plot *p)
{
    return (struct plot_box){0, 0, p->w, p->h};
}

double plot_pt(const struct plot *p, double pt)
{
    return pt * p->dpi / 72;
}

struct color plot_cycle(int i)
{
    static const struct color cycle[10] = {
        {31, 119, 180}, {255, 127, 14}, {44, 160, 44},   {214, 39, 40},  {148, 103, 189},
        {140, 86, 75},  {227, 119, 194}, {127, 127, 127}, {188, 189, 34}, {23, 190, 207}};
    return cycle[i % 10];
}

/* seaborn's rule for annotations: relative luminance of the linear components. */
struct color plot_ink_on(struct color background)
{
    const double c[3] = {background.r / 255.0, background.g / 255.0, background.b / 255.0};
    const double weight[3] = {0.2126, 0.7152, 0.0722};
    double luminance = 0;
    for (int i = 0; i < 3; i++) {
        const bool dark = c[i] <= 0.03928;
        luminance += weight[i] * (dark ? c[i] / 12.92 : pow((c[i] + 0.055) / 1.055, 2.4));
    }
    return luminance > 0.408 ? (struct color){38, 38, 38} : PLOT_WHITE;
}

/* ---- pixels ---------------------------------------------------------------------------------- */

static int to_int(double v)
{
    return v > 1e9 ? 1000000000 : v < -1e9 ? -1000000000 : (int)v;
}

static int clamp(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

void plot_clip(struct plot *p, const struct plot_box *box)
{
    p->clip_x0 = box ? clamp(to_int(floor(box->x0)), 0, p->w) : 0;
    p->clip_y0 = box ? clamp(to_int(floor(box->y0)), 0, p->h) : 0;
    p->clip_x1 = box ? clamp(to_int(ceil(box->x1)), 0, p->w) : p->w;
    p->clip_y1 = box ? clamp(to_int(ceil(box->y1)), 0, p->h) : p->h;
}

/* Lays `cover` (0 … 255) of a colour over a pixel inside the clip. */
static void blend(struct plot *p, int x, int y, struct color color, int cover)
{
    uint8_t *rgb = p->rgb + ((size_t)y * (size_t)p->w + (size_t)x) * 3;
    const int c[3] = {color.r, color.g, color.b};
    for (int i = 0; i < 3; i++) {
        rgb[i] = (uint8_t)((rgb[i] * (255 - cover) + c[i] * cover + 127) / 255);
    }
}

void plot_pixel(struct plot *p, int x, int y, struct color color)
{
    if (x >= p->clip_x0 && x < p->clip_x1 && y >= p->clip_y0 && y < p->clip_y1) {
        blend(p, x, y, color, 255);
    }
}

void plot_fill(struct plot *p, int x0, int y0, int x1, int y1, struct color color)
{
    x0 = clamp(x0, p->clip_x0, p->clip_x1);
    x1 = clamp(x1, p->clip_x0, p->clip_x1);
    y0 = clamp(y0, p->clip_y0, p->clip_y1);
    y1 = clamp(y1, p->clip_y0, p->clip_y1);
    for (int y = y0; y < y1; y++) {
        for (int x = x0; x < x1; x++) {
            uint8_t *rgb = p->rgb + ((size_t)y * (size_t)p->w + (size_t)x) * 3;
            rgb[0] = color.r;
            rgb[1] = color.g;
            rgb[2] = color.b;
        }
    }
}

void plot_frame(struct plot *p, int x0, int y0, int x1, int y1, int width, struct color color)
{
    plot_fill(p, x0, y0, x1, y0 + width, color);
    plot_fill(p, x0, y1 - width, x1, y1, color);
    plot_fill(p, x0, y0, x0 + width, y1, color);
    plot_fill(p, x1 - width, y0, x1, y1, color);
}

/* ---- shapes ---------------------------------------------------------------------------------- */

/* Calls of one shape collect the largest coverage of each pixel, so that joints do not darken. */
struct mask {
    int x0, y0, w, h;
    uint8_t *cover; /* [h][w] */
};

static bool mask_open(struct plot *p, struct mask *m, struct plot_box box)
{
    m->x0 = clamp(to_int(floor(box.x0)), p->clip_x0, p->clip_x1);
    m->y0 = clamp(to_int(floor(box.y0)), p->clip_y0, p->clip_y1);
    m->w = clamp(to_int(ceil(box.x1)), p->clip_x0, p->clip_x1) - m->x0;
    m->h = clamp(to_int(ceil(box.y1)), p->clip_y0, p->clip_y1) - m->y0;
    m->cover = NULL;
    if (m->w <= 0 || m->h <= 0) {
        return false;
    }
    m->cover = calloc((size_t)m->w, (size_t)m->h);
    p->failed |= !m->cover;
    return m->cover != NULL;
}

static void mask_ink(struct plot *p, struct mask *m, struct color color)
{
    for (int y = 0; y < m->h; y++) {
        for (int x = 0; x < m->w; x++) {
            const int cover = m->cover[(size_t)y * (size_t)m->w + (size_t)x];
            if (cover) {
                blend(p, m->x0 + x, m->y0 + y, color, cover);
            }
        }
    }
    free(m->cover);
}

/* Adds a line with round ends, `radius` half its width. */
static void mask_segment(struct mask *m, double x0, double y0, double x1, double y1, double radius)
{
    const double reach = radius + 1;
    const int left = clamp(to_int(floor(fmin(x0, x1) - reach)), m->x0, m->x0 + m->w);
    const int right = clamp(to_int(ceil(fmax(x0, x1) + reach)), m->x0, m->x0 + m->w);
    const int top = clamp(to_int(floor(fmin(y0, y1) - reach)), m->y0, m->y0 + m->h);
    const int bottom = clamp(to_int(ceil(fmax(y0, y1) + reach)), m->y0, m->y0 + m->h);
    const double dx = x1 - x0;
    const double dy = y1 - y0;
    const double length2 = dx * dx + dy * dy;
    for (int y = top; y < bottom; y++) {
        for (int x = left; x < right; x++) {
            const double px = x + 0.5 - x0;
            const double py = y + 0.5 - y0;
            const double t = length2 > 0 ? fmin(1, fmax(0, (px * dx + py * dy) / length2)) : 0;
            const double qx = px - t * dx;
            const double qy = py - t * dy;
            const double cover = fmin(1, fmax(0, radius + 0.5 - sqrt(qx * qx + qy * qy)));
            uint8_t *c = m->cover + (size_t)(y - m->y0) * (size_t)m->w + (size_t)(x - m->x0);
            const uint8_t new_cover = (uint8_t)(cover * fmin(1, 2 * radius) * 255 + 0.5);
            *c = new_cover > *c ? new_cover : *c;
        }
    }
}

void plot_polyline(struct plot *p, const double *x, const double *y, size_t n, double pt,
                   struct color color)
{
    const double radius = plot_pt(p, pt) / 2;
    struct plot_box box = {INFINITY, INFINITY, -INFINITY, -INFINITY};
    for (size_t i = 0; i < n; i++) {
        if (isfinite(x[i]) && isfinite(y[i])) {
            box.x0 = fmin(box.x0, x[i] - radius - 1);
            box.y0 = fmin(box.y0, y[i] - radius - 1);
            box.x1 = fmax(box.x1, x[i] + radius + 1);
            box.y1 = fmax(box.y1, y[i] + radius + 1);
        }
    }
    struct mask m;
    if (!mask_open(p, &m, box)) {
        return;
    }
    for (size_t i = 0; i + 1 < n; i++) {
        if (isfinite(x[i]) && isfinite(y[i]) && isfinite(x[i + 1]) && isfinite(y[i + 1])) {
            mask_segment(&m, x[i], y[i], x[i + 1], y[i + 1], radius);
        }
    }
    mask_ink(p, &m, color);
}

void plot_line(struct plot *p, double x0, double y0, double x1, double y1, double pt,
               struct color color)
{
    const double radius = plot_pt(p, pt) / 2;
    struct mask m;
    if (mask_open(p, &m, (struct plot_box){fmin(x0, x1) - radius - 1, fmin(y0, y1) - radius - 1,
                                           fmax(x0, x1) + radius + 1, fmax(y0, y1) + radius + 1})) {
        mask_segment(&m, x0, y0, x1, y1, radius);
        mask_ink(p, &m, color);
    }
}

void plot_disc(struct plot *p, double x, double y, double radius_pt, struct color color)
{
    plot_line(p, x, y, x, y, 2 * radius_pt, color);
}

void plot_triangle(struct plot *p, const double x[3], const double y[3], struct color color)
{
    struct mask m;
    const double turn = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0]) < 0 ? -1 : 1;
    if (!mask_open(p, &m, (struct plot_box){fmin(x[0], fmin(x[1], x[2])),
                                            fmin(y[0], fmin(y[1], y[2])),
                                            fmax(x[0], fmax(x[1], x[2])),
                                            fmax(y[0], fmax(y[1], y[2]))})) {
        return;
    }
    enum { SUB = 8 }; /* samples a side of each pixel */
    for (int py = 0; py < m.h * SUB; py++) {
        for (int px = 0; px < m.w * SUB; px++) {
            const double sx = m.x0 + (px + 0.5) / SUB;
            const double sy = m.y0 + (py + 0.5) / SUB;
            bool inside = true;
            for (int i = 0; i < 3; i++) {
                const int j = (i + 1) % 3;
                inside &= turn * ((x[j] - x[i]) * (sy - y[i]) - (y[j] - y[i]) * (sx - x[i])) >= 0;
            }
            uint8_t *c = m.cover + (size_t)(py / SUB) * (size_t)m.w + (size_t)(px / SUB);
            *c = (uint8_t)(*c + (inside && *c < 252 ? 4 : inside && *c < 255 ? 3 : 0));
        }
    }
    mask_ink(p, &m, color);
}

/* ---- text ------------------------------------------------------------------------------------ */

struct ink {
    struct plot *p;
    struct color color;
};

static void ink_glyph(void *user, int x, int y, int w, int h, const uint8_t *cover, bool soft)
{
    const struct ink *ink = user;
    struct plot *p = ink->p;
    for (int r = 0; r < h; r++) {
        if (y + r < p->clip_y0 || y + r >= p->clip_y1) {
            continue;
        }
        for (int c = 0; c < w; c++) {
            const int full = cover[(size_t)r * (size_t)w + (size_t)c];
            if (full && x + c >= p->clip_x0 && x + c < p->clip_x1) {
                blend(p, x + c, y + r, ink->color, soft ? full * 140 / 255 : full);
            }
        }
    }
}

double plot_text_width(const struct plot *p, double pt, const char *text)
{
    return font_width(p->font, plot_pt(p, pt), text);
}

double plot_line_height(const struct plot *p, double pt)
{
    return ceil(1.2 * plot_pt(p, pt));
}

/* From the point that the style names to the origin of the text. */
static void text_origin(const struct plot *p, const struct plot_style *style, double width,
                        double *x, double *y)
{
    const double px = plot_pt(p, style->pt);
    const double along = style->along == PLOT_LEFT     ? 0
                         : style->along == PLOT_CENTER ? width / 2
                                                       : width;
    const double above = style->across == PLOT_TOP      ? font_cap_height(px)
                         : style->across == PLOT_MIDDLE ? font_cap_height(px) / 2
                         : style->across == PLOT_BOTTOM ? -font_descent(px)
                                                        : 0;
    double dx = 0;
    double dy = 0;
    font_turn(style->direction, along, above, &dx, &dy);
    *x -= dx;
    *y -= dy;
}

void plot_text(struct plot *p, double x, double y, const struct plot_style *style, const char *text)
{
    struct ink ink = {p, style->color};
    text_origin(p, style, plot_text_width(p, style->pt, text), &x, &y);
    if (!font_draw(p->font, plot_pt(p, style->pt), text, x, y, style->direction, ink_glyph, &ink)) {
        p->failed = true;
    }
}

struct plot_box plot_text_box(const struct plot *p, double x, double y,
                              const struct plot_style *style, const char *text)
{
    const double px = plot_pt(p, style->pt);
    const double width = plot_text_width(p, style->pt, text);
    text_origin(p, style, width, &x, &y);
    struct plot_box box = {x, y, x, y};
    for (int corner = 0; corner < 4; corner++) {
        double dx = 0;
        double dy = 0;
        font_turn(style->direction, corner & 1 ? width : 0,
                  corner & 2 ? font_ascent(px) : -font_descent(px), &dx, &dy);
        box.x0 = fmin(box.x0, x + dx);
        box.y0 = fmin(box.y0, y + dy);
        box.x1 = fmax(box.x1, x + dx);
        box.y1 = fmax(box.y1, y + dy);
    }
    return box;
}

char *plot_escape_px(const struct font *font, const char *bytes, size_t n_bytes, bool spaces,
                     double px, double max_width)
{
    /* No glyph but a combining mark is narrower than an eighth of the em, so more bytes than this
     * cannot be seen; it bounds the work for a very long text. */
    const double most = max_width > 0 ? 64 + 32 * max_width / px : (double)n_bytes;
    const bool cut = (double)n_bytes > most;
    char *text = font_escape(font, bytes, cut ? (size_t)most : n_bytes, spaces);
    if (!text || max_width <= 0 || (!cut && font_width(font, px, text) <= max_width)) {
        return text;
    }
    static const char ellipsis[] = {FONT_SOFT, '\xE2', '\x80', '\xA6', '\0'};
    size_t n = strlen(text);
    const double room = max_width - font_width(font, px, ellipsis);
    char *cut_text = malloc(n + sizeof ellipsis);
    if (cut_text) {
        memcpy(cut_text, text, n + 1);
        while (n > 0 && font_width(font, px, cut_text) > room) {
            do {
                n--;
            } while (n > 0 && (cut_text[n] & 0xC0) == 0x80);
            cut_text[n] = '\0';
        }
        memcpy(cut_text + n, ellipsis, sizeof ellipsis);
    }
    free(text);
    return cut_text;
}

char *plot_escape(const struct plot *p, const char *bytes, size_t n_bytes, bool spaces, double pt,
                  double max_width)
{
    return plot_escape_px(p->font, bytes, n_bytes, spaces, plot_pt(p, pt), max_width);
}
