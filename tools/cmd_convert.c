/* gpt2c convert: the model in bfloat16 or int8, in a folder of its own that opens at once. */
#include "commands.h"
#include "outfile.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const tokenizer_files[] = {"vocab.json", "merges.txt", "tokenizer.json"};
#define N_FILES (sizeof tokenizer_files / sizeof *tokenizer_files)

struct job {
    struct cli_common common;
    const char *to;
    char from[PATH_MAX]; /* folder of the model */
};

static bool join(char *path, const char *folder, const char *name)
{
    return (size_t)snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

/* The folder of the model, also when a file in it was named. */
static int find_folder(struct job *job)
{
    struct stat st;
    int code = cli_find_model(&job->common, job->from, sizeof job->from);
    if (!code && stat(job->from, &st) == 0 && !S_ISDIR(st.st_mode)) {
        char *slash = strrchr(job->from, '/');
        memcpy(slash ? slash + 1 : job->from, ".", 2);
    }
    return code;
}

static bool same_folder(const char *a, const char *b)
{
    struct stat x;
    struct stat y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int copy_file(const char *from, const char *to)
{
    struct outfile out;
    char part[1 << 14];
    size_t n;
    FILE *f = fopen(from, "rb");
    if (!f) {
        return errno == ENOENT ? EXIT_OK : cli_fail(EXIT_FILE, "%s: %s", from, strerror(errno));
    }
    int code = outfile_open(&out, to);
    if (!code) {
        while ((n = fread(part, 1, sizeof part, f)) > 0) {
            fwrite(part, 1, n, out.f); /* commit sees a failure */
        }
        if (ferror(f)) {
            outfile_discard(&out);
            code = cli_fail(EXIT_FILE, "%s: cannot be read", from);
        } else {
            code = outfile_commit(&out);
        }
    }
    fclose(f);
    return code;
}

static int copy_tokenizer(const struct job *job)
{
    int code = EXIT_OK;
    for (size_t i = 0; !code && i < N_FILES; i++) {
        char from[PATH_MAX];
        char to[PATH_MAX];
        if (!join(from, job->from, tokenizer_files[i]) || !join(to, job->to, tokenizer_files[i])) {
            return cli_fail(EXIT_USAGE, "%s: the path is too long", job->to);
        }
        code = copy_file(from, to);
    }
    return code;
}

static int convert(const struct job *job)
{
    struct cli_common common = job->common;
    gpt2c_model *model = NULL;
    gpt2c_error err;
    common.dtype = GPT2C_DTYPE_F32; /* of the source; an int8 folder stays int8 */
    int code = cli_open(&common, &model, NULL);
    if (!code && gpt2c_model_convert(model, (gpt2c_dtype)job->common.dtype, job->to, &err)) {
        code = cli_fail_status(&err);
    }
    gpt2c_model_close(&model);
    return code ? code : copy_tokenizer(job);
}

/* What a failed run may have put into a folder that it made. */
static void remove_folder(const char *folder)
{
    static const char *const made[] = {"model.safetensors", "config.json"};
    char path[PATH_MAX];
    for (size_t i = 0; i < 2; i++) {
        if (join(path, folder, made[i])) {
            unlink(path);
        }
    }
    for (size_t i = 0; i < N_FILES; i++) {
        if (join(path, folder, tokenizer_files[i])) {
            unlink(path);
        }
    }
    rmdir(folder);
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
    struct job job = {0};
    const struct cli_option options[] = {
        {'o', "output", "DIR", CLI_STRING, &job.to, "the folder to write; made if absent", 0, 0,
         NULL},
        {0, NULL, NULL, CLI_FLAG, NULL, NULL, 0, 0, NULL},
    };
    int code = EXIT_OK;
    if (!cli_parse(cmd, options, &job.common, argc, argv, NULL, &code)) {
        return code;
    }
    if (!job.to || !*job.to) {
        return cli_fail(EXIT_USAGE, "convert: give the folder to write with -o DIR");
    }
    if (job.common.dtype != GPT2C_DTYPE_BF16 && job.common.dtype != GPT2C_DTYPE_INT8) {
        return cli_fail(EXIT_USAGE, "convert: --dtype: expected bf16 or int8, found %s",
                        gpt2c_dtype_name((gpt2c_dtype)job.common.dtype));
    }
    code = find_folder(&job);
    if (code) {
        return code;
    }
    if (same_folder(job.from, job.to)) {
        return cli_fail(EXIT_USAGE, "%s: the model to convert is there; name another folder",
                        job.to);
    }
    const bool made = mkdir(job.to, 0777) == 0;
    if (!made && errno != EEXIST) {
        return cli_fail(EXIT_FILE, "%s: %s", job.to, strerror(errno));
    }
    code = convert(&job);
    if (code && made) {
        remove_folder(job.to);
    }
    return code;
}

const struct cli_command cmd_convert = {
    .name = "convert",
    .summary = "Write a model in bf16 or int8.",
    .usage = "gpt2c convert --dtype bf16|int8 -o DIR [options]",
    .examples = "gpt2c convert --dtype int8 -o small     a quarter of the size, opens at once\n"
                "gpt2c generate -m small --prompt \"The dog\"\n",
    .groups = CLI_MODEL,
    .run = run,
};
