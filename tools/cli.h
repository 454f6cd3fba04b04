/* What every command shares: options, help, exit codes, messages, the model and the text to work
 * on. Commands use the public API of the library only. The program never calls setlocale(), so that
 * numbers are read and written in the C locale everywhere. */
#ifndef CLI_H
#define CLI_H

#include "gpt2c/gpt2c.h"

#include <stdio.h>

enum exit_code {
    EXIT_OK = 0, /* also: the reader of our output closed the pipe */
    EXIT_RUNTIME = 1,
    EXIT_USAGE = 2, /* also layer, head or token id out of range */
    EXIT_MODEL = 3, /* bad model or tokenizer file               */
    EXIT_FILE = 4,  /* file input or output                      */
    EXIT_MEMORY = 5,
    EXIT_NUMERIC = 6,
    EXIT_INTERRUPTED = 130
};

#define CLI_MANY_TOKENS 256 /* decoded ones that make up for moving the weights to huge pages */
#define CLI_DEFAULT_PROMPT "The dog chased the ball because it was excited."

/* ---- commands and options (cli_options.c, cli_help.c) ---------------------------------------- */

enum cli_kind {
    CLI_FLAG,    /* bool *: set true                                                      */
    CLI_INT,     /* int32_t *: within [min, max]                                          */
    CLI_SEED,    /* int64_t *: 0 … 2^53-1                                                 */
    CLI_REAL,    /* double *: within [min, max]                                           */
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

struct cli_common { /* options that commands share; --help explains each */
    const struct cli_command *command;
    const struct cli_option *options; /* the command's own */
    const char *model;
    int32_t n_threads; /* 0: default */
    int dtype;         /* gpt2c_dtype */
    int max_cpu;       /* gpt2c_cpu   */
    bool no_mmap;
    bool many_tokens; /* set by commands that decode many: opening may take longer for it */
    const char *output; /* NULL: none given */
    bool json;
    bool quiet, verbose;
    int color; /* 0 auto, 1 always, 2 never */
    const char *prompt, *file;
    bool chomp;
};

enum cli_groups { /* which common options a command takes */
    CLI_MODEL = 1 << 0,     /* -m -t --dtype --cpu --no-mmap  */
    CLI_TOKENIZER = 1 << 1, /* -m -t: only the tokenizer      */
    CLI_TEXT = 1 << 2,      /* -p --prompt, --file, --chomp   */
    CLI_OUTPUT = 1 << 3,    /* -o                             */
    CLI_JSON = 1 << 4       /* --json                         */
};                          /* -q -v --color -h: always       */

struct cli_command {
    const char *name;
    const char *summary;  /* one line for the list of commands          */
    const char *usage;    /* "gpt2c attn [options] -o FILE"             */
    const char *examples; /* lines shown first in --help                */
    unsigned groups;      /* set of cli_groups                          */
    int (*run)(const struct cli_command *cmd, int argc, char **argv); /* returns the exit code */
};

/* Parses argv[1 …] by the command's own table and its groups. Positional arguments are moved to
 * the front of argv[1 …] and counted in *n_args; n_args NULL: they are refused. Returns false when
 * the command is to end with *code: help was printed, or an error (with the nearest name for a
 * typo). */
bool cli_parse(const struct cli_command *cmd, const struct cli_option *options,
               struct cli_common *common, int argc, char **argv, int *n_args, int *code);

/* The help of a command, from the tables that its parser uses. */
void cli_help(FILE *f, const struct cli_command *cmd, const struct cli_option *options);
/* Fills table [CLI_N_COMMON] with the common options that `groups` selects, bound to *common. */
#define CLI_N_COMMON 16
void cli_common_options(unsigned groups, struct cli_common *common, struct cli_option *table);
/* The name of the list that is most like `word`; NULL when none is near. */
const char *cli_nearest(const char *word, const char *const *names, size_t n_names);

/* ---- numbers (cli_numbers.c) ----------------------------------------------------------------- */

/* Whole text or nothing: no white space, junk, NaN, infinity or overflow. */
bool cli_parse_int(const char *text, int64_t *out);
bool cli_parse_real(const char *text, double *out);
/* Parses "all", "-1", "0,3-5" into 0-based numbers below n: *list (heap), *n_list; negative ones
 * count from the end. what is "layer" or "head", for the message. Returns an exit code. */
int cli_parse_list(const char *text, const char *what, int32_t n, int32_t **list, int32_t *n_list);

/* ---- messages and signals (cli.c) ------------------------------------------------------------ */

/* Prints "gpt2c: error: …" on stderr, control bytes escaped; returns code. */
int cli_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same for an error of the library; returns the exit code that belongs to it. */
int cli_fail_status(const gpt2c_error *err);
/* EXIT_FILE with a message when a mapped file of weights was found truncated: what was computed
 * since is void. */
int cli_check_weights(void);
/* "gpt2c: …" on stderr unless -q. */
void cli_note(const struct cli_common *common, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
bool cli_use_color(const struct cli_common *common, FILE *f);

/* calloc and realloc(p, n * size) that end the program with EXIT_MEMORY when there is none. For
 * small things; what grows with the user's request is allocated by malloc and checked. */
void *cli_alloc(size_t n, size_t size);
void *cli_realloc(void *p, size_t n, size_t size);
double cli_machine_bytes(void); /* of memory; a large number when the machine does not tell */

double cli_seconds(void); /* on a clock that does not jump */

/* Ctrl-C sets a flag, a second one ends the program; a closed pipe ends it with EXIT_OK; no
 * temporary file is left. */
void cli_catch_signals(void);
/* True once Ctrl-C was pressed; cli_cancel is a gpt2c_cancel_fn that says so to a session. */
bool cli_interrupted(void);
int cli_cancel(void *unused);
/* Ends a run: flushes stdout and returns code, or EXIT_FILE with a message when that fails. */
int cli_finish(int code);

/* ---- text (cli_text.c) ----------------------------------------------------------------------- */

struct cli_bytes {
    char *data; /* heap, NUL after the end; free(data) */
    size_t n_bytes;
};

/* The text of --prompt, --file or stdin ("-"). When neither is given: `fallback`, or, when that is
 * NULL, what a pipe on stdin holds; a terminal there gets the help. Returns an exit code. */
int cli_read_text(const struct cli_common *common, const char *fallback, struct cli_bytes *out);

/* ---- model (find_model.c, cli_model.c) ------------------------------------------------------- */

/* Finds the folder of the model (-m, $GPT2C_MODEL, weights/gpt2, the Hugging Face cache, the
 * built-in default), into path [cap]. Returns an exit code. */
int cli_find_model(const struct cli_common *common, char *path, size_t cap);
/* Opens model and tokenizer (either may be NULL: not wanted); says which with -v. */
int cli_open(const struct cli_common *common, gpt2c_model **model, gpt2c_tokenizer **tokenizer);

struct cli_tokens {
    gpt2c_token *tok; /* heap; free(tok) */
    size_t n_tok;
};

int cli_encode(const gpt2c_tokenizer *tokenizer, const char *text, size_t n_bytes,
               struct cli_tokens *out);
/* cli_read_text and cli_encode for a model: an empty text becomes <|endoftext|>, one longer than
 * the context is refused. */
int cli_read_prompt(const struct cli_common *common, const char *fallback, const gpt2c_model *model,
                    const gpt2c_tokenizer *tokenizer, struct cli_tokens *out);
/* The two rules of cli_read_prompt, for ids that came another way. */
int cli_check_prompt(const gpt2c_model *model, const gpt2c_tokenizer *tokenizer,
                     struct cli_tokens *tokens);

#endif
