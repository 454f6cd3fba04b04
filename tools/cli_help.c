/* The help of a command, printed from the tables that its parser uses. */
#include "cli.h"

#include <string.h>

#define HELP_COLUMN 32
#define HELP_WIDTH 80

/* text in lines of words that start at HELP_COLUMN, the first one where the cursor is. */
static void print_wrapped(FILE *f, const char *text)
{
    while (strlen(text) > HELP_WIDTH - HELP_COLUMN) {
        size_t n = HELP_WIDTH - HELP_COLUMN;
        while (n > 0 && text[n] != ' ') {
            n--;
        }
        if (n == 0) {
            break; /* one long word */
        }
        fprintf(f, "%.*s\n%*s", (int)n, text, HELP_COLUMN, "");
        text += n + 1;
    }
    fprintf(f, "%s\n", text);
}

static void print_option(FILE *f, const struct cli_option *o)
{
    char left[160];
    size_t n = 0;
    if (o->letter) {
        n = (size_t)snprintf(left, sizeof left, "  -%c, --%s", o->letter, o->name);
    } else {
        n = (size_t)snprintf(left, sizeof left, "      --%s", o->name);
    }
    if (o->kind == CLI_CHOICE) {
        for (int i = 0; o->choices[i] && n < sizeof left; i++) {
            n += (size_t)snprintf(left + n, sizeof left - n, "%c%s", i ? '|' : ' ', o->choices[i]);
        }
    } else if (o->kind != CLI_FLAG) {
        n += (size_t)snprintf(left + n, sizeof left - n, " %s", o->arg);
    }
    if (n + 2 > HELP_COLUMN) {
        fprintf(f, "%s\n%*s", left, HELP_COLUMN, "");
    } else {
        fprintf(f, "%-*s", HELP_COLUMN, left);
    }
    print_wrapped(f, o->help);
}

/* Each line of text, indented. */
static void print_lines(FILE *f, const char *text)
{
    while (*text) {
        const size_t len = strcspn(text, "\n");
        fprintf(f, "  %.*s\n", (int)len, text);
        text += len + (text[len] == '\n');
    }
}

void cli_help(FILE *f, const struct cli_command *cmd, const struct cli_option *options)
{
    fprintf(f, "%s\n\nExamples:\n", cmd->summary);
    print_lines(f, cmd->examples);
    fprintf(f, "\nUsage: %s\n", cmd->usage);
    if (options && options->name) {
        fputs("\nOptions:\n", f);
        for (const struct cli_option *o = options; o->name; o++) {
            print_option(f, o);
        }
    }
    struct cli_common unused;
    struct cli_option table[CLI_N_COMMON];
    cli_common_options(cmd->groups, &unused, table);
    fputs("\nCommon options:\n", f);
    for (const struct cli_option *o = table; o->name; o++) {
        print_option(f, o);
    }
    fprintf(f, "%-*s%s\n", HELP_COLUMN, "  -h, --help", "this text");
}
