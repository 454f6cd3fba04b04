/* Messages, exit codes, signals and the allocators that end the program. */
#include "cli.h"

#include "outfile.h"
#include "sigbus.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t n_interrupts;

/* Writes text to f, control bytes (also C1 ones in UTF-8) as \xNN: names from hostile files must
 * not drive the terminal or break the line. */
static void put_printable(FILE *f, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            fprintf(f, "\\x%02x", *p);
        } else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) {
            fprintf(f, "\\u%04x", p[1]);
            p++;
        } else {
            fputc(*p, f);
        }
    }
}

static void put_line(const char *prefix, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void put_line(const char *prefix, const char *fmt, va_list ap)
{
    char text[8192]; /* two paths and some words */
    vsnprintf(text, sizeof text, fmt, ap);
    fputs(prefix, stderr);
    put_printable(stderr, text);
    fputc('\n', stderr);
}

int cli_fail(int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    put_line("gpt2c: error: ", fmt, ap);
    va_end(ap);
    return code;
}

static int exit_code_of(gpt2c_status status)
{
    switch (status) {
    case GPT2C_OK:
        return EXIT_OK;
    case GPT2C_E_ARG:
        return EXIT_USAGE;
    case GPT2C_E_IO:
        return EXIT_FILE;
    case GPT2C_E_FORMAT:
        return EXIT_MODEL;
    case GPT2C_E_UNSUPPORTED:
        return EXIT_MODEL;
    case GPT2C_E_NOMEM:
        return EXIT_MEMORY;
    case GPT2C_E_CONTEXT:
        return EXIT_RUNTIME;
    case GPT2C_E_NUMERIC:
        return EXIT_NUMERIC;
    case GPT2C_E_CANCELLED:
        return EXIT_INTERRUPTED;
    }
    return EXIT_RUNTIME;
}

int cli_check_weights(void)
{
    const char *file = sigbus_file();
    return file ? cli_fail(EXIT_FILE, "%s: file truncated while mapped", file) : EXIT_OK;
}

int cli_fail_status(const gpt2c_error *err)
{
    if (sigbus_file()) { /* whatever failed, zeros in place of weights are why */
        return cli_check_weights();
    }
    if (err->code == GPT2C_E_CANCELLED) {
        return cli_fail(EXIT_INTERRUPTED, "interrupted");
    }
    return cli_fail(exit_code_of(err->code), "%s", err->msg);
}

void cli_note(const struct cli_common *common, const char *fmt, ...)
{
    if (common->quiet) {
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    put_line("gpt2c: ", fmt, ap);
    va_end(ap);
}

bool cli_use_color(const struct cli_common *common, FILE *f)
{
    if (common->color != 0) {
        return common->color == 1;
    }
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return !(no_color && *no_color) && term && strcmp(term, "dumb") != 0 && isatty(fileno(f));
}

static void out_of_memory(void)
{
    outfile_remove_temporaries();
    exit(cli_fail(EXIT_MEMORY, "out of memory"));
}

double cli_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void *cli_alloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);
    if (!p) {
        out_of_memory();
    }
    return p;
}

void *cli_realloc(void *p, size_t n, size_t size)
{
    void *grown = reallocarray(p, n ? n : 1, size ? size : 1);
    if (!grown) {
        out_of_memory();
    }
    return grown;
}

double cli_machine_bytes(void)
{
    const long n_pages = sysconf(_SC_PHYS_PAGES);
    const long page = sysconf(_SC_PAGESIZE);
    return n_pages > 0 && page > 0 ? (double)n_pages * (double)page : 1e300;
}

static void on_interrupt(int sig)
{
    (void)sig;
    if (n_interrupts++ > 0) {
        outfile_remove_temporaries();
        _exit(EXIT_INTERRUPTED);
    }
}

static void on_closed_pipe(int sig)
{
    (void)sig;
    outfile_remove_temporaries();
    _exit(EXIT_OK);
}

static void on_end(int sig)
{
    outfile_remove_temporaries();
    signal(sig, SIG_DFL);
    raise(sig);
}

void cli_catch_signals(void)
{
    /* Without SA_RESTART, so that Ctrl-C ends a wait for input. */
    struct sigaction sa = {.sa_handler = on_interrupt};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, NULL);
    sa.sa_handler = on_closed_pipe;
    sigaction(SIGPIPE, &sa, NULL);
    sa.sa_handler = on_end;
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
}

bool cli_interrupted(void)
{
    return n_interrupts > 0;
}

int cli_cancel(void *unused)
{
    (void)unused;
    return cli_interrupted() || sigbus_file();
}

int cli_finish(int code)
{
    if (code == EXIT_OK) {
        code = cli_check_weights();
    }
    errno = 0;
    const bool failed = fflush(stdout) != 0 || ferror(stdout);
    if (failed && code == EXIT_OK) {
        return cli_fail(EXIT_FILE, "cannot write to stdout: %s", strerror(errno ? errno : EIO));
    }
    return code;
}
