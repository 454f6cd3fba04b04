/* Holding back the beginning of a UTF-8 character until its end arrives. */
#include "utf8.h"

#include "gpt2c/gpt2c.h"

#include <string.h>

/* Could k < 4 bytes at p be the beginning of a longer character? */
static bool is_beginning(const unsigned char *p, size_t k)
{
    const unsigned char c = p[0];
    const size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || k >= n) {
        return false;
    }
    for (size_t i = 1; i < k; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return false;
        }
    }
    /* Overlong forms, surrogates and what lies past U+10FFFF show in the second byte. */
    return k < 2 || ((c != 0xe0 || p[1] >= 0xa0) && (c != 0xed || p[1] < 0xa0) &&
                     (c != 0xf0 || p[1] >= 0x90) && (c != 0xf4 || p[1] < 0x90));
}

size_t gpt2c_utf8_push(gpt2c_utf8 *utf8, const char *bytes, size_t n_bytes, char *out)
{
    const size_t n = utf8->n_held + n_bytes;
    memcpy(out, utf8->held, utf8->n_held);
    if (n_bytes > 0) {
        memcpy(out + utf8->n_held, bytes, n_bytes);
    }
    utf8->n_held = 0;
    for (size_t k = n < 3 ? n : 3; k > 0; k--) {
        if (is_beginning((const unsigned char *)out + n - k, k)) {
            memcpy(utf8->held, out + n - k, k);
            utf8->n_held = (unsigned char)k;
            return n - k;
        }
    }
    return n;
}

size_t gpt2c_utf8_finish(gpt2c_utf8 *utf8, char *out)
{
    const size_t n = utf8->n_held;
    memcpy(out, utf8->held, n);
    utf8->n_held = 0;
    return n;
}

size_t gpt2c_utf8_char(const char *text, size_t n_bytes)
{
    const unsigned char *const p = (const unsigned char *)text;
    uint32_t cp = 0;
    return utf8_decode(p, p + n_bytes, &cp);
}
