/* The gpt2c program: finds the command and runs it. */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const struct cli_command *const commands[] = {
    &cmd_generate,
    &cmd_next,
    &cmd_tokenize,
    &cmd_detokenize,
    &cmd_attn,
    &cmd_heads,
    &cmd_lens,
    &cmd_embed,
    &cmd_posenc,
    &cmd_dump,
    &cmd_ppl,
    &cmd_inspect,
    &cmd_verify,
    &cmd_convert,
    &cmd_bench,
    NULL,
};

static const char main_examples[] =
    "  gpt2c generate --prompt \"The dog\"          continue a text\n"
    "  gpt2c attn --layer -1 --head 0 -o map.png  draw an attention map\n"
    "  gpt2c tokenize \"The cat sat on the mat\"    see the tokens\n"
    "  gpt2c next --prompt \"The cat\" -k 10        see what may come next\n";

static void print_help(void)
{
    printf("gpt2c runs GPT-2 on the CPU and looks inside it.\n\nExamples:\n%s", main_examples);
    printf("\nUsage: gpt2c COMMAND [options]\n\nCommands:\n");
    for (size_t i = 0; commands[i]; i++) {
        printf("  %-12s%s\n", commands[i]->name, commands[i]->summary);
    }
    printf("\n'gpt2c COMMAND --help' explains a command, 'gpt2c --version' the build.\n");
}

static void print_version(void)
{
#if defined(__clang__)
    const char *const compiler = "clang " __clang_version__;
#elif defined(__GNUC__)
    const char *const compiler = "gcc " __VERSION__;
#else
    const char *const compiler = "an unknown compiler";
#endif
    printf("gpt2c %s\n", gpt2c_version());
    printf("compiler  %s\n", compiler);
    printf("OpenMP    %s\n", gpt2c_has_openmp() ? "yes" : "no: one thread");
    printf("threads   %d by default\n", gpt2c_cpu_threads());
    printf("kernels  ");
    for (int tier = GPT2C_CPU_REF; tier <= (int)gpt2c_cpu_best(); tier++) {
        printf(" %s", gpt2c_cpu_name((gpt2c_cpu)tier));
    }
    putchar('\n');
}

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static int fail_unknown(const char *name)
{
    const char *names[sizeof commands / sizeof *commands];
    size_t n = 0;
    for (; commands[n]; n++) {
        names[n] = commands[n]->name;
    }
    const char *near = cli_nearest(name, names, n);
    if (near) {
        return cli_fail(EXIT_USAGE, "unknown command '%s'; did you mean '%s'?", name, near);
    }
    return cli_fail(EXIT_USAGE, "unknown command '%s'; see 'gpt2c --help'", name);
}

static int run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";
    if (strcmp(name, "--version") == 0) {
        print_version();
        return EXIT_OK;
    }
    const bool help =
        strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0;
    if (help && argc < 3) {
        print_help();
        return EXIT_OK;
    }
    if (help) {
        name = argv[2];
    } else if (name[0] == '-') {
        return cli_fail(EXIT_USAGE, "the command comes first, then its options; got '%s'", name);
    }
    const struct cli_command *cmd = find_command(name);
    if (!cmd) {
        return fail_unknown(name);
    }
    if (help) {
        char *ask[] = {argv[0], (char[]){"--help"}, NULL};
        return cmd->run(cmd, 2, ask);
    }
    return cmd->run(cmd, argc - 1, argv + 1);
}

/* A file that we open must not become the stdin, stdout or stderr that our caller closed: takes
 * their numbers with something that fails when it is used. */
static void hold_closed_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

int main(int argc, char **argv)
{
    hold_closed_streams();
    cli_catch_signals();
    return cli_finish(run(argc, argv));
}
