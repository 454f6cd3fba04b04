/* The text to work on, from an option, a file or stdin, byte for byte. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Far more than any command can use at once; an endless input must end somewhere. */
#define TEXT_MAX ((size_t)1 << 30)

static int read_all(FILE *f, const char *name, struct cli_bytes *out)
{
    size_t cap = 1 << 16;
    char *data = cli_alloc(cap, 1);
    size_t n = 0;
    for (;;) {
        n += fread(data + n, 1, cap - n - 1, f);
        if (n < cap - 1) {
            break;
        }
        if (cap >= TEXT_MAX) {
            free(data);
            return cli_fail(EXIT_FILE, "%s: more than %zu bytes of text", name, TEXT_MAX);
        }
        cap *= 2;
        data = cli_realloc(data, cap, 1);
    }
    if (ferror(f)) {
        const int why = errno;
        free(data);
        if (cli_interrupted()) {
            return cli_fail(EXIT_INTERRUPTED, "interrupted");
        }
        return cli_fail(EXIT_FILE, "cannot read %s: %s", name, strerror(why));
    }
    data[n] = '\0';
    *out = (struct cli_bytes){data, n};
    return EXIT_OK;
}

static int read_file(const char *name, struct cli_bytes *out)
{
    if (strcmp(name, "-") == 0) {
        return read_all(stdin, "stdin", out);
    }
    FILE *f = fopen(name, "rb");
    if (!f) {
        return cli_fail(EXIT_FILE, "cannot read %s: %s", name, strerror(errno));
    }
    const int code = read_all(f, name, out);
    fclose(f);
    return code;
}

static void copy_text(const char *text, struct cli_bytes *out)
{
    out->n_bytes = strlen(text);
    out->data = cli_alloc(out->n_bytes + 1, 1);
    memcpy(out->data, text, out->n_bytes);
}

int cli_read_text(const struct cli_common *common, const char *fallback, struct cli_bytes *out)
{
    int code = EXIT_OK;
    *out = (struct cli_bytes){0};
    if (common->file) {
        code = read_file(common->file, out);
    } else if (common->prompt && strcmp(common->prompt, "-") != 0) {
        copy_text(common->prompt, out);
    } else if (common->prompt) {
        code = read_file("-", out);
    } else if (fallback) {
        copy_text(fallback, out);
    } else if (isatty(STDIN_FILENO)) {
        cli_help(stderr, common->command, common->options);
        code = EXIT_USAGE;
    } else {
        code = read_file("-", out);
    }
    if (!code && common->chomp && out->n_bytes > 0 && out->data[out->n_bytes - 1] == '\n') {
        out->data[--out->n_bytes] = '\0';
    }
    return code;
}
