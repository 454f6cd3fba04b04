/* The texts of the status codes, error formatting, and checked size arithmetic. */
#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *gpt2c_status_text(gpt2c_status status)
{
    switch (status) {
    case GPT2C_OK: return "ok";
    case GPT2C_E_ARG: return "argument out of range";
    case GPT2C_E_IO: return "input or output failed";
    case GPT2C_E_FORMAT: return "bad model or tokenizer file";
    case GPT2C_E_UNSUPPORTED: return "not implemented";
    case GPT2C_E_NOMEM: return "out of memory";
    case GPT2C_E_CONTEXT: return "context full";
    case GPT2C_E_NUMERIC: return "not a finite number";
    case GPT2C_E_CANCELLED: return "cancelled";
    }
    return "unknown status";
}

const char *gpt2c_version(void)
{
    return GPT2C_VERSION;
}

/* Copies text, control bytes (and DEL) as \xNN; cuts where dst is full. */
static void copy_printable(char *dst, size_t cap, const char *text)
{
    size_t n = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        const bool control = *p < 0x20 || *p == 0x7f;
        const size_t need = control ? 4 : 1;
        if (n + need >= cap) {
            break;
        }
        if (control) {
            snprintf(dst + n, cap - n, "\\x%02x", *p);
        } else {
            dst[n] = (char)*p;
        }
        n += need;
    }
    dst[n] = '\0';
}

gpt2c_status status_fail(gpt2c_error *err, gpt2c_status code, const char *fmt, ...)
{
    if (err) {
        char text[sizeof err->msg];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        err->code = code;
        copy_printable(err->msg, sizeof err->msg, text);
    }
    return code;
}

bool size_mul(size_t a, size_t b, size_t *out)
{
    const bool fits = a == 0 || b <= SIZE_MAX / a;
    *out = fits ? a * b : SIZE_MAX;
    return fits;
}

bool size_add(size_t a, size_t b, size_t *out)
{
    const bool fits = b <= SIZE_MAX - a;
    *out = fits ? a + b : SIZE_MAX;
    return fits;
}
