/* gpt2c detokenize: ids to text. Ids on stdin stream: there may be more than fit into memory. */
#include "commands.h"
#include "outfile.h"
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What stdout collects before it is written for good: a failure until then leaves it empty. */
#define HOLD_BYTES ((size_t)8 << 20)

struct detokenize_job {
    struct cli_common common;
    bool raw;
    bool terminal; /* control characters are to be escaped */
    gpt2c_tokenizer *tokenizer;
    struct outfile out;
    gpt2c_utf8 utf8;
};

/* Complete characters; what is not UTF-8 shows as U+FFFD. */
static void print_text(const struct detokenize_job *job, const char *bytes, size_t n_bytes)
{
    FILE *f = job->out.f;
    for (size_t i = 0; i < n_bytes;) {
        uint32_t cp = 0;
        const size_t n = text_next(bytes + i, n_bytes - i, &cp);
        if (cp == TEXT_INVALID) {
            fputs("\xef\xbf\xbd", f);
        } else if (job->terminal && (cp < 0x20 || (cp >= 0x7f && cp < 0xa0)) && cp != '\n' &&
                   cp != '\t') {
            fprintf(f, "\\x%02x", cp);
        } else {
            fwrite(bytes + i, 1, n, f);
        }
        i += n;
    }
}

static int print_id(struct detokenize_job *job, const char *word)
{
    int64_t id = 0;
    size_t n = 0;
    const int32_t n_vocab = gpt2c_tokenizer_n_vocab(job->tokenizer);
    if (!cli_parse_int(word, &id)) {
        return cli_fail(EXIT_USAGE, "'%s' is not a token id", word);
    }
    if (id < 0 || id >= n_vocab) {
        return cli_fail(EXIT_USAGE, "token id %s is not in 0 … %d", word, n_vocab - 1);
    }
    const char *bytes = gpt2c_tokenizer_bytes(job->tokenizer, (gpt2c_token)id, &n);
    if (job->raw) {
        fwrite(bytes, 1, n, job->out.f);
        return EXIT_OK;
    }
    char *text = cli_alloc(n + sizeof job->utf8.held, 1);
    n = gpt2c_utf8_push(&job->utf8, bytes, n, text);
    print_text(job, text, n);
    free(text);
    return EXIT_OK;
}

/* Ids between anything that is no part of a number: "464 3290", "464,3290", "[464, 3290]". */
static bool separates(int c)
{
    return c == EOF || isspace(c) || c == ',' || c == '[' || c == ']';
}

static int print_stream(struct detokenize_job *job, FILE *f)
{
    char word[64];
    size_t n = 0;
    size_t n_ids = 0;
    int code = EXIT_OK;
    for (int c = 0; !code && c != EOF;) {
        c = fgetc(f);
        if (!separates(c)) {
            word[n] = (char)c;
            n += n < sizeof word - 1;
            continue;
        }
        if (n > 0) {
            word[n] = '\0';
            n = 0;
            code = print_id(job, word);
            if (!code && ++n_ids % 4096 == 0) {
                code = outfile_spill(&job->out, HOLD_BYTES);
            }
        }
    }
    if (!code && cli_interrupted()) {
        return cli_fail(EXIT_INTERRUPTED, "interrupted");
    }
    if (!code && ferror(f)) {
        code = cli_fail(EXIT_FILE, "cannot read stdin: %s", strerror(errno ? errno : EIO));
    }
    return code;
}

static int print_all(struct detokenize_job *job, int n_args, char **args)
{
    int code = EXIT_OK;
    const bool from_stdin = n_args == 0 || (n_args == 1 && strcmp(args[0], "-") == 0);
    if (from_stdin) {
        code = print_stream(job, stdin);
    }
    for (int i = 0; !from_stdin && !code && i < n_args; i++) {
        /* Quoted lists, too: '464 3290'. */
        char *list = cli_alloc(strlen(args[i]) + 1, 1);
        char *rest = NULL;
        memcpy(list, args[i], strlen(args[i]) + 1);
        char *word = strtok_r(list, " \t\n,[]", &rest);
        if (!word) {
            code = cli_fail(EXIT_USAGE, "'%s' is not a token id", args[i]);
        }
        for (; !code && word; word = strtok_r(NULL, " \t\n,[]", &rest)) {
            code = print_id(job, word);
        }
        free(list);
    }
    if (!code && !job->raw) {
        char tail[sizeof job->utf8.held];
        print_text(job, tail, gpt2c_utf8_finish(&job->utf8, tail));
        fputc('\n', job->out.f);
    }
    return code ? code : outfile_commit(&job->out);
}

static int run_detokenize(const struct cli_command *cmd, int argc, char **argv)
{
    struct detokenize_job job = {0};
    const struct cli_option options[] = {
        {0, "raw", NULL, CLI_FLAG, &job.raw,
         "the exact bytes: no newline, and nothing shown as U+FFFD", 0, 0, NULL},
        {0, NULL, NULL, CLI_FLAG, NULL, NULL, 0, 0, NULL},
    };
    int n_args = 0;
    int code = EXIT_OK;
    if (!cli_parse(cmd, options, &job.common, argc, argv, &n_args, &code)) {
        return code;
    }
    if (n_args == 0 && isatty(STDIN_FILENO)) {
        cli_help(stderr, cmd, options);
        return EXIT_USAGE;
    }
    code = cli_open(&job.common, NULL, &job.tokenizer);
    if (!code) {
        code = outfile_open(&job.out, job.common.output);
    }
    if (!code) {
        job.terminal = !job.raw && !job.out.path && isatty(STDOUT_FILENO);
        code = print_all(&job, n_args, argv + 1);
    }
    outfile_discard(&job.out);
    gpt2c_tokenizer_close(&job.tokenizer);
    return code;
}

const struct cli_command cmd_detokenize = {
    .name = "detokenize",
    .summary = "Turn token ids back into text.",
    .usage = "gpt2c detokenize [options] [ID ...]",
    .examples =
        "gpt2c detokenize 464 3797 3332\n"
        "gpt2c tokenize --ids --file a.txt | gpt2c detokenize --raw > b.txt   the same bytes",
    .groups = CLI_TOKENIZER | CLI_OUTPUT,
    .run = run_detokenize,
};
