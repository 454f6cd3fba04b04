/* Only user of stb_truetype. Text that stands level or upright is made crisp as a light hinter does
 * it: baseline, x-height, capitals and ascenders are moved to whole pixels across the line of
 * writing, never along it, so that widths and spacing stay exact. */
#include "font.h"

#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STBTT_STATIC
#define STB_TRUETYPE_IMPLEMENTATION
#include <stb_truetype.h>

static const unsigned char font_file[] = {
#include <font_data.inc> /* made from font/DejaVuSans-subset.ttf by the build */
};

enum {
    EM = 2048, /* units of the em square in DejaVu Sans                 */
    FINE = 64  /* steps in a pixel of the outlines given to the rasterizer */
};

struct font {
    stbtt_fontinfo info;
};

struct font *font_create(void)
{
    struct font *font = calloc(1, sizeof *font);
    if (font && !stbtt_InitFont(&font->info, font_file, 0)) {
        font_free(&font);
    }
    return font;
}

void font_free(struct font **font)
{
    free(*font);
    *font = NULL;
}

bool font_has(const struct font *font, uint32_t ch)
{
    if (ch == ' ') {
        return true;
    }
    const int glyph = stbtt_FindGlyphIndex(&font->info, (int)ch);
    /* A soft hyphen has ink in the file but none in the middle of a line. */
    return glyph != 0 && ch != 0xAD && !stbtt_IsGlyphEmpty(&font->info, glyph);
}

/* ---- any bytes to drawable text -------------------------------------------------------------- */

struct text { /* a growing string */
    char *s;
    size_t n, cap;
    bool soft, failed;
};

static void put(struct text *t, const char *s, size_t n, bool soft)
{
    if (t->n + n + 3 > t->cap) {
        const size_t cap = 2 * (t->n + n + 3);
        char *grown = realloc(t->s, cap);
        if (!grown) {
            t->failed = true;
            return;
        }
        t->s = grown;
        t->cap = cap;
    }
    if (soft != t->soft) {
        t->s[t->n++] = soft ? FONT_SOFT : FONT_PLAIN;
        t->soft = soft;
    }
    memcpy(t->s + t->n, s, n);
    t->n += n;
    t->s[t->n] = '\0';
}

static void put_escape(struct text *t, uint32_t ch)
{
    char s[16];
    if (ch == '\n' || ch == '\t' || ch == '\r') {
        snprintf(s, sizeof s, "\\%c", ch == '\n' ? 'n' : ch == '\t' ? 't' : 'r');
    } else if (ch < 0x80) {
        snprintf(s, sizeof s, "\\x%02x", (unsigned)ch);
    } else if (ch < 0x10000) {
        snprintf(s, sizeof s, "\\u%04x", (unsigned)ch);
    } else {
        snprintf(s, sizeof s, "\\U%08x", (unsigned)ch);
    }
    put(t, s, strlen(s), true);
}

static bool is_combining(uint32_t ch)
{
    return (ch >= 0x300 && ch < 0x370) || (ch >= 0x483 && ch < 0x48A);
}

char *font_escape(const struct font *font, const char *bytes, size_t n_bytes, bool spaces)
{
    struct text t = {0};
    bool in_bytes = false;
    put(&t, "", 0, false);
    for (size_t i = 0; i < n_bytes && !t.failed;) {
        uint32_t ch = 0;
        const size_t len = text_next(bytes + i, n_bytes - i, &ch);
        if (ch == TEXT_INVALID) {
            for (size_t end = i + len; i < end; i++) {
                char s[8];
                snprintf(s, sizeof s, "%c%02X", in_bytes ? ' ' : '<', (unsigned char)bytes[i]);
                put(&t, s, 3, true);
                in_bytes = true;
            }
            continue;
        }
        if (in_bytes) {
            put(&t, ">", 1, true);
            in_bytes = false;
        }
        if (ch == ' ' && spaces) {
            put(&t, "\xE2\x90\xA3", 3, true);
        } else if (ch < 0x20 || ch == 0x7F || !font_has(font, ch)) {
            put_escape(&t, ch);
        } else {
            if (i == 0 && is_combining(ch)) {
                put(&t, "\xE2\x97\x8C", 3, true); /* a dotted circle to combine with */
            }
            put(&t, bytes + i, len, false);
        }
        i += len;
    }
    if (in_bytes) {
        put(&t, ">", 1, true);
    }
    if (t.failed) {
        free(t.s);
        return NULL;
    }
    return t.s;
}

/* ---- metrics --------------------------------------------------------------------------------- */

double font_cap_height(double px)
{
    return px * 1493 / EM;
}

double font_ascent(double px)
{
    return px * 1556 / EM;
}

double font_descent(double px)
{
    return px * 426 / EM;
}

struct pen { /* walks over a text */
    const struct font *font;
    const char *s;
    size_t n;
    double at; /* font units from the origin to the glyph */
    int glyph;
    bool soft;
};

/* Moves to the next glyph; false at the end. */
static bool pen_next(struct pen *p, double *end)
{
    const stbtt_fontinfo *info = &p->font->info;
    while (p->n > 0 && (*p->s == FONT_SOFT || *p->s == FONT_PLAIN)) {
        p->soft = *p->s++ == FONT_SOFT;
        p->n--;
    }
    if (p->n == 0) {
        return false;
    }
    uint32_t ch = 0;
    const size_t len = text_next(p->s, p->n, &ch);
    p->s += len;
    p->n -= len;
    const int glyph = stbtt_FindGlyphIndex(info, (int)ch);
    p->at = *end;
    if (p->glyph >= 0) {
        p->at += stbtt_GetGlyphKernAdvance(info, p->glyph, glyph);
    }
    p->glyph = glyph;
    int advance = 0;
    stbtt_GetGlyphHMetrics(info, glyph, &advance, NULL);
    *end = p->at + advance;
    return true;
}

double font_width(const struct font *font, double px, const char *text)
{
    struct pen p = {.font = font, .s = text, .n = strlen(text), .glyph = -1};
    double end = 0;
    while (pen_next(&p, &end)) {
    }
    return end * px / EM;
}

void font_turn(enum font_direction direction, double along, double above, double *dx, double *dy)
{
    static const double cosine[] = {1, 0.70710678118654752, 0};
    static const double sine[] = {0, 0.70710678118654752, 1};
    *dx = along * cosine[direction] - above * sine[direction];
    *dy = -along * sine[direction] - above * cosine[direction];
}

/* ---- outlines -------------------------------------------------------------------------------- */

/* Height above the baseline in pixels of y in font units, with the edges of the letters on whole
 * pixels. `low` and `high` bound an edge and its overshoot (o reaches a little below x). */
static double hint(double y, double px)
{
    static const struct {
        double low, high, flat;
    } zones[] = {{-431, -426, -426}, {-29, 0, 0},          {1120, 1147, 1120},
                 {1493, 1520, 1493}, {1556, 1556, 1556}};
    enum { N_ZONES = sizeof zones / sizeof zones[0] };
    const double scale = px / EM;
    if (29 * scale > 0.7) { /* large text shows its overshoots */
        return y * scale;
    }
    double y0 = zones[0].low;
    double h0 = floor(zones[0].flat * scale + 0.5);
    if (y <= y0) {
        return h0 + (y - y0) * scale;
    }
    for (int i = 0; i < N_ZONES; i++) {
        const double h = floor(zones[i].flat * scale + 0.5);
        if (y < zones[i].low) {
            return h0 + (h - h0) * (y - y0) / (zones[i].low - y0);
        }
        if (y <= zones[i].high) {
            return h;
        }
        y0 = zones[i].high;
        h0 = h;
    }
    return h0 + (y - y0) * scale;
}

static short fine(double v)
{
    const double f = floor(v * FINE + 0.5);
    return f > 32767 ? 32767 : f < -32767 ? -32767 : (short)f;
}

/* Turns, hints and scales the outline, shifted by fx to the right and fy down, to FINE steps. */
static void place(stbtt_vertex *v, int n, double px, enum font_direction direction, double fx,
                  double fy)
{
    for (int i = 0; i < n; i++) {
        double x = 0;
        double y = 0;
        const bool hinted = direction != FONT_RISING;
        font_turn(direction, v[i].x * px / EM,
                  hinted ? hint(v[i].y, px) : v[i].y * px / EM, &x, &y);
        double cx = 0;
        double cy = 0;
        font_turn(direction, v[i].cx * px / EM,
                  hinted ? hint(v[i].cy, px) : v[i].cy * px / EM, &cx, &cy);
        v[i].x = fine(x + fx);
        v[i].y = fine(-(y + fy));
        v[i].cx = fine(cx + fx);
        v[i].cy = fine(-(cy + fy));
    }
}

static bool draw_outline(stbtt_vertex *v, int n, int x, int y, bool soft, font_ink_fn ink,
                         void *user)
{
    int x0 = 32767;
    int y0 = 32767;
    int x1 = -32767;
    int y1 = -32767;
    for (int i = 0; i < n; i++) {
        const bool curve = v[i].type == STBTT_vcurve;
        x0 = v[i].x < x0 ? v[i].x : x0;
        x1 = v[i].x > x1 ? v[i].x : x1;
        y0 = -v[i].y < y0 ? -v[i].y : y0;
        y1 = -v[i].y > y1 ? -v[i].y : y1;
        if (curve) {
            x0 = v[i].cx < x0 ? v[i].cx : x0;
            x1 = v[i].cx > x1 ? v[i].cx : x1;
            y0 = -v[i].cy < y0 ? -v[i].cy : y0;
            y1 = -v[i].cy > y1 ? -v[i].cy : y1;
        }
    }
    if (x0 >= x1 || y0 >= y1) {
        return true;
    }
    const int left = (int)floor((double)x0 / FINE);
    const int top = (int)floor((double)y0 / FINE);
    stbtt__bitmap bitmap = {0};
    bitmap.w = (int)ceil((double)x1 / FINE) - left;
    bitmap.h = (int)ceil((double)y1 / FINE) - top;
    bitmap.stride = bitmap.w;
    bitmap.pixels = calloc((size_t)bitmap.w, (size_t)bitmap.h);
    if (!bitmap.pixels) {
        return false;
    }
    stbtt_Rasterize(&bitmap, 0.1F, v, n, 1.0F / FINE, 1.0F / FINE, 0, 0, left, top, 1, NULL);
    ink(user, x + left, y + top, bitmap.w, bitmap.h, bitmap.pixels, soft);
    free(bitmap.pixels);
    return true;
}

bool font_draw(const struct font *font, double px, const char *text, double x, double y,
               enum font_direction direction, font_ink_fn ink, void *user)
{
    struct pen p = {.font = font, .s = text, .n = strlen(text), .glyph = -1};
    double end = 0;
    bool ok = true;
    /* The line of writing lies on a pixel boundary, or the hinted edges would not. */
    y = direction == FONT_LEVEL ? floor(y + 0.5) : y;
    x = direction == FONT_UPWARD ? floor(x + 0.5) : x;
    while (ok && pen_next(&p, &end)) {
        double dx = 0;
        double dy = 0;
        font_turn(direction, p.at * px / EM, 0, &dx, &dy);
        const double gx = x + dx;
        const double gy = y + dy;
        stbtt_vertex *v = NULL;
        const int n = stbtt_GetGlyphShape(&font->info, p.glyph, &v);
        place(v, n, px, direction, gx - floor(gx), gy - floor(gy));
        ok = draw_outline(v, n, (int)floor(gx), (int)floor(gy), p.soft, ink, user);
        stbtt_FreeShape(&font->info, v);
    }
    return ok;
}
