/* The text of gpt2c tokenize, part by part. */
#include "tokenize.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES ((size_t)8 << 20)

static int fail_read(const struct tokenize_text *text, int why)
{
    if (cli_interrupted()) {
        return cli_fail(EXIT_INTERRUPTED, "interrupted");
    }
    return cli_fail(EXIT_FILE, "cannot read %s: %s", text->name, strerror(why ? why : EIO));
}

static void next_in_memory(struct tokenize_text *text, const char **data, size_t *n_bytes)
{
    *data = text->data;
    *n_bytes = text->n_bytes;
    if (text->chomp && *n_bytes > 0 && (*data)[*n_bytes - 1] == '\n') {
        --*n_bytes;
    }
    text->n_bytes = 0;
}

int tokenize_next(struct tokenize_text *text, const char **data, size_t *n_bytes)
{
    if (!text->f) {
        next_in_memory(text, data, n_bytes);
        return EXIT_OK;
    }
    if (!text->buffer) {
        text->buffer = cli_alloc(READ_BYTES + 1, 1);
    }
    text->buffer[0] = '\n';
    errno = 0;
    const size_t n_read = fread(text->buffer + text->held, 1, READ_BYTES, text->f);
    if (ferror(text->f)) {
        return fail_read(text, errno);
    }
    const size_t n = n_read ? text->held + n_read : 0;
    text->held = text->chomp && n > 0 && text->buffer[n - 1] == '\n';
    *data = text->buffer;
    *n_bytes = n - text->held;
    /* A part of nothing but the newline held back is not the end. */
    return n == 1 && text->held ? tokenize_next(text, data, n_bytes) : EXIT_OK;
}

int tokenize_all(struct tokenize_text *text, struct cli_bytes *out)
{
    const char *data = NULL;
    size_t n = 0;
    size_t cap = 0;
    int code = EXIT_OK;
    *out = (struct cli_bytes){0};
    while (!(code = tokenize_next(text, &data, &n)) && n > 0) {
        if (out->n_bytes + n + 1 > cap) {
            cap = 2 * (out->n_bytes + n + 1);
            char *const grown = realloc(out->data, cap);
            if (!grown) {
                code = cli_fail(EXIT_MEMORY, "no memory for a text of %zu bytes", cap);
                break;
            }
            out->data = grown;
        }
        memcpy(out->data + out->n_bytes, data, n);
        out->n_bytes += n;
    }
    if (code) {
        free(out->data);
        *out = (struct cli_bytes){0};
    }
    return code;
}
