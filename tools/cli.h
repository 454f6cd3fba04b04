/* What every command shares: options, help, exit codes, messages, the model and the text to work on.
 * Commands use the public API of the library only. */
#ifndef CLI_H
#define CLI_H

#include "gpt2c/gpt2c.h"

#include <stdio.h>

enum exit_code {
    EXIT_OK = 0,
    EXIT_RUNTIME = 1,
    EXIT_USAGE = 2,   /* also layer, head or token id out of range */
    EXIT_MODEL = 3,   /* bad model or tokenizer file               */
    EXIT_FILE = 4,    /* file input or output                      */
    EXIT_MEMORY = 5,
    EXIT_NUMERIC = 6,
    EXIT_INTERRUPTED = 130
};

#define CLI_DEFAULT_PROMPT "The dog chased the ball because it was excited."

/* ---- commands and options -------------------------------------------------------------------- */

enum cli_kind {
    CLI_FLAG,    /* bool *: set true                                                      */
    CLI_INT,     /* int32_t *: within [min, max]                                          */
    CLI_SEED,    /* int64_t *: 0 … 2^53-1                                                 */
    CLI_REAL,    /* double *: within [min, max]; parsed in the C locale                   */
    CLI_STRING,  /* const char **: borrowed from argv                                     */
    CLI_STRINGS, /* struct cli_strings *: repeatable                                      */
    CLI_CHOICE   /* int *: index into choices                                             */
};

struct cli_strings {
    const char **v; /* grown by the parser; free(v) */
    size_t n;
};

struct cli_option {
    char letter;      /* 0: none                                    */
    const char *name; /* long name without dashes; NULL ends a table */
    const char *arg;  /* name of the value in the help; NULL: flag  */
    enum cli_kind kind;
    void *dst;
    const char *help;
    double min, max;            /* CLI_INT, CLI_REAL; both 0: no limit */
    const char *const *choices; /* CLI_CHOICE: NULL-terminated         */
};

struct cli_common { /* options that commands with a model share; see SPEC of each in --help */
    const char *model;
    int32_t n_threads; /* 0: default */
    int dtype;         /* gpt2c_dtype */
    int max_cpu;       /* gpt2c_cpu   */
    bool no_mmap;
    const char *output; /* NULL: none given */
    bool json;
    bool quiet, verbose;
    int color; /* 0 auto, 1 always, 2 never */
    const char *prompt, *file;
    bool chomp;
};

enum cli_groups { /* which common options a command takes */
    CLI_MODEL = 1 << 0,  /* -m -t --dtype --cpu --no-mmap  */
    CLI_TEXT = 1 << 1,   /* -p --prompt, --file, --chomp   */
    CLI_OUTPUT = 1 << 2, /* -o                             */
    CLI_JSON = 1 << 3    /* --json                         */
};                       /* -q -v --color -h: always       */

struct cli_command {
    const char *name;
    const char *summary;  /* one line for the list of commands          */
    const char *usage;    /* "gpt2c attn [options] -o FILE"             */
    const char *examples; /* lines shown first in --help                */
    unsigned groups;      /* set of cli_groups                          */
    int (*run)(const struct cli_command *cmd, int argc, char **argv); /* returns the exit code */
};

/* Parses argv[1 …] by the command's own table and its groups. Positional arguments are moved to
 * the front of argv[1 …] and counted in *n_args. Returns false when the command is to end with
 * *code: help was printed, or an error (with the nearest name for a typo). */
bool cli_parse(const struct cli_command *cmd, const struct cli_option *options,
               struct cli_common *common, int argc, char **argv, int *n_args, int *code);

/* ---- messages -------------------------------------------------------------------------------- */

/* Prints "gpt2c: error: …" on stderr, control bytes escaped; returns code. */
int cli_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same for an error of the library; returns the exit code that belongs to it. */
int cli_fail_status(const gpt2c_error *err);
/* "gpt2c: …" on stderr unless -q. */
void cli_note(const struct cli_common *common, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
bool cli_use_color(const struct cli_common *common, FILE *f);

/* ---- model and text -------------------------------------------------------------------------- */

/* Finds the folder of the model (SPEC section 1: -m, $GPT2C_MODEL, weights/gpt2, the Hugging Face
 * cache, the built-in default), into path [cap]. Returns an exit code. */
int cli_find_model(const struct cli_common *common, char *path, size_t cap);
/* Opens model and tokenizer (either may be NULL: not wanted); says which with -v. */
int cli_open(const struct cli_common *common, gpt2c_model **model, gpt2c_tokenizer **tokenizer);

struct cli_bytes {
    char *data; /* heap, NUL after the end; free(data) */
    size_t n_bytes;
};

/* The text of --prompt, --file or stdin ("-"), else the default prompt (fallback NULL: none, an
 * error that points to --help). Returns an exit code. */
int cli_read_text(const struct cli_common *common, const char *fallback, struct cli_bytes *out);

struct cli_tokens {
    gpt2c_token *tok; /* heap; free(tok) */
    size_t n_tok;
};

int cli_encode(const gpt2c_tokenizer *tokenizer, const char *text, size_t n_bytes,
               struct cli_tokens *out);

/* Parses "all", "-1", "0,3-5" into 0-based numbers below n: *list (heap), *n_list. what is "layer"
 * or "head", for the message. Returns an exit code. */
int cli_parse_list(const char *text, const char *what, int32_t n, int32_t **list, int32_t *n_list);

/* True once Ctrl-C was pressed; cli_cancel is a gpt2c_cancel_fn that says so to a session. */
bool cli_interrupted(void);
int cli_cancel(void *unused);

#endif
