/* Bytes of tokens as text that people and programs can read: UTF-8, escapes, columns, CSV. */
#include "text.h"

#include "cli.h"

#include <stdlib.h>
#include <string.h>

size_t text_next(const char *bytes, size_t n, uint32_t *cp)
{
    const unsigned char *p = (const unsigned char *)bytes;
    const unsigned char first = p[0];
    if (first < 0x80) {
        *cp = first;
        return 1;
    }
    *cp = TEXT_INVALID;
    const size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4) {
        return 1;
    }
    /* The second byte's range excludes overlong forms, surrogates and what is past U+10FFFF. */
    const unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    uint32_t x = first & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        const bool ok = i < n && p[i] >= (i == 1 ? low : 0x80) && p[i] <= (i == 1 ? high : 0xbf);
        if (!ok) {
            return i;
        }
        x = x << 6 | (p[i] & 0x3f);
    }
    *cp = x;
    return len;
}

static bool is_control(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp < 0xa0);
}

char *text_visible(const char *bytes, size_t n)
{
    char *out = cli_alloc(n + 1, 4); /* \xNN is the longest form of a byte */
    size_t k = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp = 0;
        const size_t len = text_next(bytes + i, n - i, &cp);
        if (cp == '\n' || cp == '\t' || cp == '\r') {
            out[k++] = '\\';
            out[k++] = cp == '\n' ? 'n' : cp == '\t' ? 't' : 'r';
        } else if (cp == TEXT_INVALID || is_control(cp)) {
            for (size_t j = 0; j < len; j++) {
                k += (size_t)snprintf(out + k, 5, "\\x%02x", (unsigned char)bytes[i + j]);
            }
        } else {
            memcpy(out + k, bytes + i, len);
            k += len;
        }
        i += len;
    }
    out[k] = '\0';
    return out;
}

/* GPT-2's letter for a byte: itself where that prints, else the next one from U+0100 on. */
static uint32_t byte_letter(unsigned char byte)
{
    if ((byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173)) {
        return byte;
    }
    return byte <= 32 ? 0x100u + byte : byte <= 160 ? 0x121u + (byte - 127u) : 0x143;
}

char *text_hf(const char *bytes, size_t n)
{
    char *out = cli_alloc(n + 1, 2);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t cp = byte_letter((unsigned char)bytes[i]);
        if (cp < 0x80) {
            out[k++] = (char)cp;
        } else {
            out[k++] = (char)(0xc0 | cp >> 6);
            out[k++] = (char)(0x80 | (cp & 0x3f));
        }
    }
    out[k] = '\0';
    return out;
}

char *text_token(const gpt2c_tokenizer *tokenizer, gpt2c_token token)
{
    size_t n = 0;
    const char *bytes = gpt2c_tokenizer_bytes(tokenizer, token, &n);
    char *visible = text_visible(bytes ? bytes : "", n);
    const size_t len = strlen(visible);
    char *quoted = cli_alloc(len + 3, 1);
    snprintf(quoted, len + 3, "\"%s\"", visible);
    free(visible);
    return quoted;
}

char *text_token_hf(const gpt2c_tokenizer *tokenizer, gpt2c_token token)
{
    size_t n = 0;
    const char *bytes = gpt2c_tokenizer_bytes(tokenizer, token, &n);
    return text_hf(bytes ? bytes : "", n);
}

int text_color_of_p(double p)
{
    static const int colors[] = {196, 208, 220, 190, 118, 46};
    static const double limits[] = {0.001, 0.01, 0.1, 0.3, 0.7};
    size_t i = 0;
    while (i < sizeof limits / sizeof *limits && p >= limits[i]) {
        i++;
    }
    return colors[i];
}

static bool in_ranges(uint32_t cp, const uint32_t (*ranges)[2], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (cp >= ranges[i][0] && cp <= ranges[i][1]) {
            return true;
        }
    }
    return false;
}

static size_t columns_of(uint32_t cp)
{
    static const uint32_t none[][2] = {
        {0x0300, 0x036f},  {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f},
        {0x06d6, 0x06dc},  {0x0900, 0x0902}, {0x093c, 0x093c}, {0x0941, 0x0948}, {0x094d, 0x094d},
        {0x0e31, 0x0e31},  {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, {0x200b, 0x200f},
        {0x202a, 0x202e},  {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff},
        {0xe0000, 0xe0fff}};
    static const uint32_t two[][2] = {{0x1100, 0x115f},   {0x231a, 0x231b},   {0x2e80, 0x303e},
                                      {0x3041, 0xa4cf},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
                                      {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
                                      {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff},
                                      {0x20000, 0x3fffd}};
    if (in_ranges(cp, none, sizeof none / sizeof *none)) {
        return 0;
    }
    return in_ranges(cp, two, sizeof two / sizeof *two) ? 2 : 1;
}

size_t text_width(const char *text)
{
    size_t width = 0;
    for (size_t n = strlen(text); n > 0;) {
        uint32_t cp = 0;
        const size_t len = text_next(text, n, &cp);
        width += columns_of(cp);
        text += len;
        n -= len;
    }
    return width;
}

void text_pad(FILE *f, const char *text, size_t width, bool right)
{
    const size_t used = text_width(text);
    const int n_spaces = used < width ? (int)(width - used) : 0;
    fprintf(f, "%*s%s%*s", right ? n_spaces : 0, "", text, right ? 0 : n_spaces, "");
}

const char *text_float(char out[32], float x)
{
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(out, 32, "%.*g", digits, (double)x);
        if (strtof(out, NULL) == x) {
            break;
        }
    }
    return out;
}

void text_csv(FILE *f, const char *text)
{
    if (!strpbrk(text, ",\"\r\n") && *text != ' ') {
        fputs(text, f);
        return;
    }
    fputc('"', f);
    for (; *text; text++) {
        if (*text == '"') {
            fputc('"', f);
        }
        fputc(*text, f);
    }
    fputc('"', f);
}
