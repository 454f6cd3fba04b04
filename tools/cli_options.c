/* The option parser: a command's own table and the common options, `--` and clusters of letters,
 * values that begin with a dash, and the nearest name for a typo. */
#include "cli.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const dtype_names[] = {"f32", "bf16x3", "bf16", "int8", NULL};
static const char *const cpu_names[] = {"ref", "avx2", "avx512", "amx", NULL};
static const char *const color_names[] = {"auto", "always", "never", NULL};

void cli_common_options(unsigned groups, struct cli_common *c, struct cli_option *table)
{
    const struct {
        unsigned groups; /* 0: always */
        struct cli_option option;
    } all[] = {
        {CLI_TEXT,
         {'p', "prompt", "TEXT", CLI_STRING, &c->prompt, "the text; - reads stdin", 0, 0, NULL}},
        {CLI_TEXT,
         {0, "file", "FILE", CLI_STRING, &c->file,
          "the text from a file, byte for byte; - reads stdin", 0, 0, NULL}},
        {CLI_TEXT,
         {0, "chomp", NULL, CLI_FLAG, &c->chomp, "drop one newline at the end of the text", 0, 0,
          NULL}},
        {CLI_OUTPUT,
         {'o', "output", "FILE", CLI_STRING, &c->output, "write the result there; - is stdout", 0,
          0, NULL}},
        {CLI_JSON,
         {0, "json", NULL, CLI_FLAG, &c->json, "one JSON document on stdout", 0, 0, NULL}},
        {CLI_MODEL | CLI_TOKENIZER,
         {'m', "model", "DIR", CLI_STRING, &c->model,
          "a model folder, a .safetensors file, or a hub id in the local Hugging Face cache", 0, 0,
          NULL}},
        {CLI_MODEL | CLI_TOKENIZER,
         {'t', "threads", "N", CLI_INT, &c->n_threads,
          "worker threads (default: the physical cores)", 1, 1024, NULL}},
        {CLI_MODEL,
         {0, "dtype", NULL, CLI_CHOICE, &c->dtype, "precision of the matrix products (default f32)",
          0, 0, dtype_names}},
        {CLI_MODEL,
         {0, "cpu", NULL, CLI_CHOICE, &c->max_cpu,
          "highest kernel tier allowed (default: the best there is)", 0, 0, cpu_names}},
        {CLI_MODEL,
         {0, "no-mmap", NULL, CLI_FLAG, &c->no_mmap,
          "read the weights into memory: safe against a file that changes", 0, 0, NULL}},
        {0, {'q', "quiet", NULL, CLI_FLAG, &c->quiet, "no notes on stderr", 0, 0, NULL}},
        {0,
         {'v', "verbose", NULL, CLI_FLAG, &c->verbose, "say on stderr what is used", 0, 0, NULL}},
        {0,
         {0, "color", NULL, CLI_CHOICE, &c->color,
          "default auto: on a terminal, unless NO_COLOR is set", 0, 0, color_names}},
    };
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].groups == 0 || (all[i].groups & groups)) {
            table[n++] = all[i].option;
        }
    }
    table[n] = (struct cli_option){0};
}

/* ---- the nearest name ------------------------------------------------------------------------ */

#define WORD_MAX 32

static size_t min2(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edit distance with swaps of neighbours; longer words count as far away. */
static size_t distance(const char *a, const char *b)
{
    const size_t na = strlen(a);
    const size_t nb = strlen(b);
    if (na > WORD_MAX || nb > WORD_MAX) {
        return WORD_MAX;
    }
    size_t d[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= na; i++) {
        for (size_t j = 0; j <= nb; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            d[i][j] =
                min2(min2(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                d[i][j] = min2(d[i][j], d[i - 2][j - 2] + 1);
            }
        }
    }
    return d[na][nb];
}

const char *cli_nearest(const char *word, const char *const *names, size_t n_names)
{
    const size_t len = strlen(word);
    const char *best = NULL;
    size_t best_distance = len / 3 + 2; /* further off is another word, not a typo */
    for (size_t i = 0; i < n_names; i++) {
        const bool is_start = len >= 3 && strncmp(names[i], word, len) == 0;
        const size_t d = is_start ? 1 : distance(word, names[i]);
        if (d < best_distance && d < strlen(names[i])) {
            best_distance = d;
            best = names[i];
        }
    }
    return best;
}

/* ---- parsing --------------------------------------------------------------------------------- */

struct parser {
    const struct cli_command *cmd;
    const struct cli_option *tables[2]; /* the command's own, the common ones */
    int argc;
    char **argv;
    int at; /* of the argument in work */
};

static const struct cli_option *find_long(const struct parser *p, const char *name, size_t len)
{
    for (size_t t = 0; t < 2; t++) {
        for (const struct cli_option *o = p->tables[t]; o && o->name; o++) {
            if (strlen(o->name) == len && memcmp(o->name, name, len) == 0) {
                return o;
            }
        }
    }
    return NULL;
}

static const struct cli_option *find_letter(const struct parser *p, char letter)
{
    for (size_t t = 0; t < 2; t++) {
        for (const struct cli_option *o = p->tables[t]; o && o->name; o++) {
            if (o->letter == letter) {
                return o;
            }
        }
    }
    return NULL;
}

static int fail_unknown(const struct parser *p, const char *arg, size_t len)
{
    const char *names[128];
    size_t n = 0;
    for (size_t t = 0; t < 2; t++) {
        for (const struct cli_option *o = p->tables[t]; o && o->name && n < 126; o++) {
            names[n++] = o->name;
        }
    }
    names[n++] = "help";
    names[n++] = "version";
    char word[2 * WORD_MAX];
    snprintf(word, sizeof word, "%.*s", (int)(len - 2), arg + 2);
    const char *near = cli_nearest(word, names, n);
    if (near) {
        return cli_fail(EXIT_USAGE, "unknown option '%.*s'; did you mean '--%s'?", (int)len, arg,
                        near);
    }
    return cli_fail(EXIT_USAGE, "unknown option '%.*s'; see 'gpt2c %s --help'", (int)len, arg,
                    p->cmd->name);
}

static int store_choice(const struct cli_option *o, const char *value)
{
    char list[256] = "";
    for (int i = 0; o->choices[i]; i++) {
        if (strcmp(o->choices[i], value) == 0) {
            *(int *)o->dst = i;
            return EXIT_OK;
        }
        const size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", o->choices[i]);
    }
    return cli_fail(EXIT_USAGE, "--%s: want one of %s; got '%s'", o->name, list, value);
}

static int store_number(const struct cli_option *o, const char *value)
{
    const bool limited = o->min != 0 || o->max != 0;
    const bool whole = o->kind != CLI_REAL;
    double min = limited ? o->min : whole ? INT32_MIN : -1e300;
    double max = limited ? o->max : whole ? INT32_MAX : 1e300;
    if (o->kind == CLI_SEED) {
        min = 0;
        max = 9007199254740991.0; /* 2^53 - 1: exact in every JSON reader */
    }
    int64_t i = 0;
    double x = 0;
    const bool ok = whole ? cli_parse_int(value, &i) : cli_parse_real(value, &x);
    const double number = whole ? (double)i : x;
    if (!ok || !(number >= min && number <= max)) {
        return cli_fail(EXIT_USAGE, "--%s: want a %snumber from %.16g to %.16g; got '%s'", o->name,
                        whole ? "whole " : "", min, max, value);
    }
    if (o->kind == CLI_INT) {
        *(int32_t *)o->dst = (int32_t)i;
    } else if (o->kind == CLI_SEED) {
        *(int64_t *)o->dst = i;
    } else {
        *(double *)o->dst = x;
    }
    return EXIT_OK;
}

static int store(const struct cli_option *o, const char *value)
{
    switch (o->kind) {
    case CLI_FLAG:
        *(bool *)o->dst = true;
        return EXIT_OK;
    case CLI_STRING:
        *(const char **)o->dst = value;
        return EXIT_OK;
    case CLI_STRINGS: {
        struct cli_strings *list = o->dst;
        list->v = cli_realloc(list->v, list->n + 1, sizeof *list->v);
        list->v[list->n++] = value;
        return EXIT_OK;
    }
    case CLI_CHOICE:
        return store_choice(o, value);
    case CLI_INT:
    case CLI_SEED:
    case CLI_REAL:
        return store_number(o, value);
    }
    return EXIT_OK;
}

static bool is_option(const struct parser *p, const char *arg)
{
    if (arg[0] != '-' || !arg[1]) {
        return false;
    }
    if (arg[1] == '-') {
        return !arg[2] || find_long(p, arg + 2, strcspn(arg + 2, "="));
    }
    return !arg[2] && find_letter(p, arg[1]);
}

/* Stores the value of o: `attached`, or else the next argument, which may begin with a dash (-1)
 * but not be one of our options: then the value was forgotten. */
static int take_value(struct parser *p, const struct cli_option *o, const char *attached)
{
    if (attached) {
        return store(o, attached);
    }
    const char *next = p->at + 1 < p->argc ? p->argv[p->at + 1] : NULL;
    if (!next) {
        return cli_fail(EXIT_USAGE, "--%s needs a value", o->name);
    }
    if (is_option(p, next)) {
        return cli_fail(
            EXIT_USAGE,
            "--%s needs a value; '%s' is an option (write --%s=%s if you mean that text)", o->name,
            next, o->name, next);
    }
    p->at++;
    return store(o, next);
}

static int parse_long(struct parser *p, const char *arg)
{
    const size_t len = strcspn(arg, "=");
    const char *value = arg[len] == '=' ? arg + len + 1 : NULL;
    const struct cli_option *o = find_long(p, arg + 2, len - 2);
    if (!o) {
        return fail_unknown(p, arg, len);
    }
    if (o->kind == CLI_FLAG) {
        return value ? cli_fail(EXIT_USAGE, "--%s takes no value", o->name) : store(o, NULL);
    }
    return take_value(p, o, value);
}

static int parse_letters(struct parser *p, const char *arg)
{
    for (const char *c = arg + 1; *c; c++) {
        const struct cli_option *o = find_letter(p, *c);
        if (!o) {
            return cli_fail(EXIT_USAGE, "unknown option '-%c'%s%s; see 'gpt2c %s --help'", *c,
                            arg[2] ? " in " : "", arg[2] ? arg : "", p->cmd->name);
        }
        if (o->kind != CLI_FLAG) {
            return take_value(p, o, c[1] ? c + 1 : NULL);
        }
        store(o, NULL);
    }
    return EXIT_OK;
}

/* "-5" is a number that a command may want, not a cluster of letters. */
static bool is_negative_number(const struct parser *p, const char *arg)
{
    return arg[0] == '-' && isdigit((unsigned char)arg[1]) && !find_letter(p, arg[1]);
}

bool cli_parse(const struct cli_command *cmd, const struct cli_option *options,
               struct cli_common *common, int argc, char **argv, int *n_args, int *code)
{
    struct cli_option table[CLI_N_COMMON];
    *common = (struct cli_common){.command = cmd, .options = options, .max_cpu = GPT2C_CPU_AMX};
    cli_common_options(cmd->groups, common, table);
    struct parser p = {.cmd = cmd, .tables = {options, table}, .argc = argc, .argv = argv, .at = 1};
    bool only_args = false;
    int n = 0;
    *code = EXIT_OK;
    for (; p.at < argc && !*code; p.at++) {
        char *arg = argv[p.at];
        if (only_args || arg[0] != '-' || !arg[1] || is_negative_number(&p, arg)) {
            argv[1 + n++] = arg;
        } else if (strcmp(arg, "--") == 0) {
            only_args = true;
        } else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            cli_help(stdout, cmd, options);
            return false;
        } else if (strncmp(arg, "--", 2) == 0) {
            *code = parse_long(&p, arg);
        } else {
            *code = parse_letters(&p, arg);
        }
    }
    if (!*code && n > 0 && !n_args) {
        *code = cli_fail(EXIT_USAGE, "unexpected argument '%s'%s", argv[1],
                         cmd->groups & CLI_TEXT ? "; the text goes after --prompt" : "");
    }
    if (!*code && common->prompt && common->file) {
        *code = cli_fail(EXIT_USAGE, "--prompt and --file exclude each other");
    }
    if (n_args) {
        *n_args = n;
    }
    return *code == EXIT_OK;
}
