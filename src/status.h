/* Error texts. Written where a failure is found; callers only pass the code on. */
#ifndef STATUS_H
#define STATUS_H

#include "gpt2c/gpt2c.h"

/* Writes code and text (err NULL ok) and returns code. Control bytes in the text become \xNN, so
 * that names from hostile files cannot break the line. */
gpt2c_status status_fail(gpt2c_error *err, gpt2c_status code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* out = a * b (or a + b); false, and out SIZE_MAX, when that overflows. */
bool size_mul(size_t a, size_t b, size_t *out);
bool size_add(size_t a, size_t b, size_t *out);

#endif
