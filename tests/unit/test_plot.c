/* The plotting layer: ticks, text, labels, and that nothing is clipped at any size. */
#include "check.h"
#include "cli.h"
#include "heatmap.h"
#include "png.h"

#include <stdlib.h>

static struct font *font;

/* ---- ticks and thinning ---------------------------------------------------------------------- */

static void ticks_are(double min, double max, int most, bool whole, const char *expected)
{
    struct plot_ticks ticks;
    char all[PLOT_MAX_TICKS * 24] = "";
    size_t n = 0;
    plot_ticks(min, max, most, whole, &ticks);
    for (int i = 0; i < ticks.n; i++) {
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? " " : "", ticks.text[i]);
        CHECK(ticks.at[i] >= min - 1e-9 * (max - min) && ticks.at[i] <= max + 1e-9 * (max - min));
    }
    CHECK(ticks.n <= most);
    CHECK_STR(all, expected);
}

static void ticks_are_round(void)
{
    ticks_are(0, 0.15, 9, false, "0.00 0.02 0.04 0.06 0.08 0.10 0.12 0.14");
    ticks_are(-1, 1, 9, false,
              "\u22121.00 \u22120.75 \u22120.50 \u22120.25 0.00 0.25 0.50 0.75 1.00");
    ticks_are(0, 1023, 11, true, "0 100 200 300 400 500 600 700 800 900 1000");
    ticks_are(-0.5, 11.5, 32, true, "0 1 2 3 4 5 6 7 8 9 10 11");
    ticks_are(0, 3, 11, true, "0 1 2 3");
    ticks_are(0.1, 0.9, 3, false, "0.25 0.50 0.75");
    ticks_are(0, 25, 12, false, "0.0 2.5 5.0 7.5 10.0 12.5 15.0 17.5 20.0 22.5 25.0");
    ticks_are(-3e8, 3e8, 4, false, "\u22122e+08 0 2e+08");
    ticks_are(0, 2e-12, 3, false, "0 1e-12 2e-12");
    ticks_are(5, 5, 4, false, "5");
    struct plot_ticks none;
    plot_ticks(NAN, 1, 5, false, &none);
    CHECK_INT(none.n, 0);
    plot_ticks(2, 1, 5, false, &none);
    CHECK_INT(none.n, 0);
}

static void labels_thin_before_they_touch(void)
{
    CHECK_INT(plot_thin(10, 20, 20), 1);
    CHECK_INT(plot_thin(10, 19.9, 20), 2);
    CHECK_INT(plot_thin(0, 20, 20), 0);
    CHECK_INT(plot_thin(3, 1, 20), 0);
    for (int n = 1; n < 1200; n += 13) {
        for (double pitch = 0.5; pitch < 30; pitch += 1.7) {
            const int every = plot_thin(n, pitch, 20);
            if (every > 0) {
                CHECK(every * pitch >= 20);
            }
        }
    }
}

/* ---- text ------------------------------------------------------------------------------------ */

static void escape_is(const char *bytes, size_t n, bool spaces, const char *expected)
{
    char *text = font_escape(font, bytes, n, spaces);
    CHECK_STR(text, expected);
    free(text);
}

#define SOFT "\x01"
#define PLAIN "\x02"

static void any_bytes_become_drawable(void)
{
    escape_is("dog", 3, true, "dog");
    escape_is(" dog", 4, true, SOFT "\u2423" PLAIN "dog");
    escape_is(" dog", 4, false, " dog");
    escape_is("\n\t\r\0\x1b\x7f", 6, true, SOFT "\\n\\t\\r\\x00\\x1b\\x7f");
    escape_is("\u4e2d", 3, true, SOFT "\\u4e2d");
    escape_is("\U0001f600", 4, true, SOFT "\\U0001f600");
    escape_is("\xe4\xb8", 2, true, SOFT "<E4 B8>");
    escape_is("a\xff\xfe b", 5, true, "a" SOFT "<FF FE>\u2423" PLAIN "b");
    escape_is("\u00e9t\u00e9 \u041f\u03b1", 10, false, "\u00e9t\u00e9 \u041f\u03b1");
    escape_is("\u0301", 2, true, SOFT "\u25cc" PLAIN "\u0301"); /* a mark has a letter to sit on */
    escape_is("\u200b\u00ad\u202e\ufeff", 11, true, SOFT "\\u200b\\u00ad\\u202e\\ufeff");
    escape_is("\x01\x02", 2, true, SOFT "\\x01\\x02"); /* not taken for our own marks */
    escape_is("", 0, true, "");
}

static void metrics_are_those_of_the_face(void)
{
    CHECK_NEAR(font_width(font, 2048, "H"), 1540, 1e-9);
    CHECK_NEAR(font_width(font, 20.48, "H"), 15.4, 1e-9);
    CHECK_NEAR(font_width(font, 20, SOFT "a" PLAIN "b"), font_width(font, 20, "ab"), 1e-9);
    const double apart = font_width(font, 20, "A") + font_width(font, 20, "V");
    CHECK(font_width(font, 20, "AV") < apart - 0.5); /* kerning */
    CHECK_INT(font_has(font, 'A'), true);
    CHECK_INT(font_has(font, 0x4e2d), false);
    CHECK_INT(font_has(font, 0x10ffff), false);
}

static void long_text_is_cut(void)
{
    char text[5000];
    memset(text, 'W', sizeof text);
    char *cut = plot_escape_px(font, text, sizeof text, true, 20, 200);
    CHECK(font_width(font, 20, cut) <= 200);
    CHECK(font_width(font, 20, cut) > 160);
    CHECK_HAS(cut, "\u2026");
    free(cut);
    char *whole = plot_escape_px(font, "short", 5, true, 20, 200);
    CHECK_STR(whole, "short");
    free(whole);
}

static bool is_white(const struct plot *p, int x, int y)
{
    const uint8_t *c =
        plot_pixels(p) + ((size_t)y * (size_t)plot_width(p) + (size_t)x) * 3;
    return c[0] == 255 && c[1] == 255 && c[2] == 255;
}

/* All ink lies in the box, give or take a pixel of anti-aliasing. */
static void text_stays_in_its_box(void)
{
    for (int direction = FONT_LEVEL; direction <= FONT_UPWARD; direction++) {
        struct plot *p = NULL;
        CHECK_INT(plot_create(&p, 400, 400, 144), EXIT_OK);
        const struct plot_style style = {.pt = 10, .along = PLOT_CENTER, .across = PLOT_MIDDLE,
                                         .direction = (enum font_direction)direction};
        const char *text = "Query (j|l) \u2423jumps";
        plot_text(p, 200, 200, &style, text);
        const struct plot_box box = plot_text_box(p, 200, 200, &style, text);
        long inside = 0;
        long outside = 0;
        for (int y = 0; y < 400; y++) {
            for (int x = 0; x < 400; x++) {
                const bool in = x >= box.x0 - 2 && x < box.x1 + 2 && y >= box.y0 - 2 &&
                                y < box.y1 + 2;
                inside += in && !is_white(p, x, y);
                outside += !in && !is_white(p, x, y);
            }
        }
        CHECK(inside > 500);
        CHECK_INT(outside, 0);
        plot_free(&p);
    }
}

/* ---- whole pictures -------------------------------------------------------------------------- */

static uint64_t hash(const struct plot *p)
{
    const size_t n = (size_t)plot_width(p) * (size_t)plot_height(p) * 3;
    uint64_t h = 0xcbf29ce484222325U;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ plot_pixels(p)[i]) * 0x100000001b3U;
    }
    return h;
}

static void border_is_clean(const struct plot *p)
{
    long ink = 0;
    for (int x = 0; x < plot_width(p); x++) {
        ink += !is_white(p, x, 0) + !is_white(p, x, plot_height(p) - 1);
    }
    for (int y = 0; y < plot_height(p); y++) {
        ink += !is_white(p, 0, y) + !is_white(p, plot_width(p) - 1, y);
    }
    CHECK_INT(ink, 0);
}

static const char *const odd_tokens[] = {
    "The", " dog", "\n", "\t", "\u4e2d", "\U0001f600", "\xe4\xb8", "\x01", "\u00e9t\u00e9",
    " incomprehensibilities", "<|endoftext|>", "\u0301", "W", " ", "\xc3", "gpqj"};
enum { N_ODD = sizeof odd_tokens / sizeof *odd_tokens };

struct sample { /* a square matrix with labels */
    int n;
    float *v;
    char **labels;
};

static struct sample sample_create(int n)
{
    struct sample s = {n, calloc((size_t)n * (size_t)n, sizeof(float)),
                       calloc((size_t)n, sizeof(char *))};
    for (int i = 0; i < n; i++) {
        const char *token = odd_tokens[i * 5 % N_ODD];
        s.labels[i] = plot_escape_px(font, token, strlen(token), true, 10, 110);
        for (int j = 0; j <= i; j++) {
            s.v[i * n + j] = (float)((i * 7 + j * 13) % 19) / 100;
        }
    }
    return s;
}

static void sample_free(struct sample *s)
{
    for (int i = 0; i < s->n; i++) {
        free(s->labels[i]);
    }
    free(s->labels);
    free(s->v);
}

static struct heatmap heatmap_of(const struct sample *s, struct heatmap_panel *panels, int n_panels,
                                 int n_across)
{
    for (int i = 0; i < n_panels; i++) {
        panels[i] = (struct heatmap_panel){.v = s->v};
    }
    return (struct heatmap){.panels = panels, .n_panels = n_panels, .n_across = n_across,
                            .n_rows = s->n, .n_cols = s->n,
                            .row_labels = (const char *const *)s->labels,
                            .col_labels = (const char *const *)s->labels,
                            .title = "GPT-2 Attention Map (Layer 11, Head 0)",
                            .x_title = "Key Tokens", .y_title = "Query Tokens",
                            .bar_title = "log1p(attention)", .vmax = 0.15F};
}

static void nothing_is_clipped(void)
{
    static const int sizes[] = {1, 2, 3, 10, 16, 60, 100, 300, 1024};
    static const int cells[] = {0, 1, 7, 40};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct sample s = sample_create(sizes[i]);
        for (size_t c = 0; c < (sizes[i] > 60 ? 1 : sizeof cells / sizeof *cells); c++) {
            struct heatmap_panel panel;
            struct heatmap h = heatmap_of(&s, &panel, 1, 1);
            struct plot *p = NULL;
            h.cell = cells[c];
            CHECK_INT(heatmap_draw(&h, &p), EXIT_OK);
            border_is_clean(p);
            CHECK_NEAR(panel.box.x1 - panel.box.x0, s.n * h.cell_px, 0);
            CHECK_NEAR(h.cell_px, floor(h.cell_px), 0);
            plot_free(&p);
        }
        sample_free(&s);
    }
}

static void grids_are_not_clipped(void)
{
    struct sample s = sample_create(11);
    static struct heatmap_panel panels[144];
    static const int across[] = {2, 3, 12};
    for (int i = 0; i < 3; i++) {
        for (int each = 0; each < 2; each++) {
            struct heatmap h = heatmap_of(&s, panels, i == 2 ? 144 : 4, across[i]);
            h.each = each;
            h.auto_max = each;
            panels[0].title = "Head 0";
            struct plot *p = NULL;
            CHECK_INT(heatmap_draw(&h, &p), EXIT_OK);
            border_is_clean(p);
            plot_free(&p);
        }
    }
    sample_free(&s);
}

static struct color pixel(const struct plot *p, double x, double y)
{
    const uint8_t *c = plot_pixels(p) +
                       ((size_t)y * (size_t)plot_width(p) + (size_t)x) * 3;
    return (struct color){c[0], c[1], c[2]};
}

static void cells_have_their_colours(void)
{
    struct sample s = sample_create(10);
    struct heatmap_panel panel;
    struct heatmap h = heatmap_of(&s, &panel, 1, 1);
    struct plot *p = NULL;
    h.hide_first = true;
    CHECK_INT(heatmap_draw(&h, &p), EXIT_OK);
    for (int row = 0; row < 10; row++) {
        for (int col = 0; col < 10; col++) {
            const float v = heatmap_norm(HEATMAP_LOG1P, s.v[row * 10 + col]);
            const struct color want =
                col == 0 ? PLOT_PALE : colormap_entry(COLORMAP_MAGMA, colormap_index(v, 0, 0.15F));
            const struct color got = pixel(p, panel.box.x0 + (col + 0.5) * h.cell_px,
                                           panel.box.y0 + (row + 0.5) * h.cell_px);
            CHECK_INT(got.r << 16 | got.g << 8 | got.b, want.r << 16 | want.g << 8 | want.b);
        }
    }
    plot_free(&p);
    /* The range comes from what is shown; NaN is not. */
    s.v[0] = 100;
    s.v[55] = NAN;
    h.auto_max = h.auto_min = true;
    h.norm = HEATMAP_LINEAR;
    h.hide_upper = true;
    CHECK_INT(heatmap_draw(&h, &p), EXIT_OK);
    CHECK_NEAR(panel.vmax, 0.18, 1e-6);
    CHECK_NEAR(panel.vmin, 0, 0);
    plot_free(&p);
    sample_free(&s);
}

static void cells_share_pixels_in_large_grids(void)
{
    struct sample s = sample_create(700);
    struct heatmap_panel panels[12];
    struct heatmap h = heatmap_of(&s, panels, 12, 4);
    h.no_ticks = true;
    struct plot *p = NULL;
    CHECK_INT(heatmap_draw(&h, &p), EXIT_OK);
    border_is_clean(p);
    CHECK_NEAR(h.cell_px, 0.5, 0);
    CHECK_NEAR(panels[0].box.x1 - panels[0].box.x0, 350, 0);
    plot_free(&p);
    sample_free(&s);
}

static void same_input_same_pixels(void)
{
    struct sample s = sample_create(16);
    struct heatmap_panel panel;
    struct heatmap h = heatmap_of(&s, &panel, 1, 1);
    struct plot *p = NULL;
    CHECK_INT(heatmap_draw(&h, &p), EXIT_OK);
    char text[32];
    snprintf(text, sizeof text, "%016" PRIx64, hash(p));
    CHECK_STR(text, "7b8bbe85b509a312");
    plot_free(&p);
    sample_free(&s);
}

static void scatter_keeps_inside(void)
{
    enum { N = 60 };
    double x[N];
    double y[N];
    const char *labels[N];
    for (int i = 0; i < N; i++) {
        x[i] = i * i % 17;
        y[i] = i * 7 % 11;
        labels[i] = i % 2 ? "efficient" : "Models";
    }
    struct plot *p = NULL;
    CHECK_INT(plot_create(&p, 1152, 720, 144), EXIT_OK);
    struct plot_axes ax = {.title = "PCA", .x_title = "PC 1", .y_title = "PC 2"};
    plot_axes_range(x, N, &ax.x_min, &ax.x_max);
    plot_axes_range(y, N, &ax.y_min, &ax.y_max);
    CHECK_NEAR(ax.x_min, -0.8, 1e-12);
    plot_axes_place(p, &ax, plot_whole(p));
    plot_scatter(p, &ax, x, y, labels, N, plot_cycle(0));
    long outside = 0;
    for (int py = 0; py < plot_height(p); py++) {
        for (int px = 0; px < plot_width(p); px++) {
            const bool in = px >= ax.box.x0 && px < ax.box.x1 && py >= ax.box.y0 && py < ax.box.y1;
            outside += !in && !is_white(p, px, py);
        }
    }
    CHECK_INT(outside, 0); /* neither points nor labels cross the frame */
    plot_axes_draw(p, &ax);
    border_is_clean(p);
    plot_free(&p);
}

static void too_large_is_refused(void)
{
    CHECK_INT(png_size_ok(1, 1), true);
    CHECK_INT(png_size_ok(0, 5), false);
    CHECK_INT(png_size_ok(-1, 5), false);
    CHECK_INT(png_size_ok(INT64_MAX, INT64_MAX), false);
    CHECK_INT(png_size_ok(1 << 20, 1 << 20), false);
    CHECK_INT(png_size_ok(18000, 18000), true);
    struct plot *p = NULL;
    CHECK_INT(plot_create(&p, 100000, 100000, 144), EXIT_RUNTIME);
    CHECK(p == NULL);
}

int main(void)
{
    font = font_create();
    if (!CHECK(font)) {
        return check_result();
    }
    ticks_are_round();
    labels_thin_before_they_touch();
    any_bytes_become_drawable();
    metrics_are_those_of_the_face();
    long_text_is_cut();
    text_stays_in_its_box();
    nothing_is_clipped();
    grids_are_not_clipped();
    cells_have_their_colours();
    cells_share_pixels_in_large_grids();
    same_input_same_pixels();
    scatter_keeps_inside();
    too_large_is_refused();
    font_free(&font);
    return check_result();
}
