/* bench_tokenizer MODEL_FOLDER THREADS REPEAT FILE...: megabytes a second of encoding each file,
 * the best of REPEAT runs, without start-up and without reading. scripts/bench_tokenizer calls it
 * beside the other libraries. Prints "FILE BYTES TOKENS MB/s" lines. */
#include "gpt2c/gpt2c.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct out {
    gpt2c_token *tok;
    size_t n_tok;
};

/* The ids are kept, as the other libraries return them. */
static int keep(void *user, const gpt2c_token *tok, size_t n_tok)
{
    struct out *out = user;
    for (size_t i = 0; i < n_tok; i++) {
        out->tok[out->n_tok + i] = tok[i];
    }
    out->n_tok += n_tok;
    return 0;
}

static char *read_file(const char *path, size_t *n_bytes)
{
    FILE *f = fopen(path, "rb");
    char *data = NULL;
    long n = -1;
    if (f && fseek(f, 0, SEEK_END) == 0 && (n = ftell(f)) > 0 && fseek(f, 0, SEEK_SET) == 0) {
        data = malloc((size_t)n);
    }
    if (data && fread(data, 1, (size_t)n, f) != (size_t)n) {
        free(data);
        data = NULL;
    }
    if (f) {
        fclose(f);
    }
    *n_bytes = (size_t)n;
    return data;
}

static int bench(const gpt2c_tokenizer *tokenizer, int32_t n_threads, long repeat, const char *path)
{
    gpt2c_error err = {0};
    size_t n_bytes = 0;
    char *text = read_file(path, &n_bytes);
    struct out out = {text ? calloc(n_bytes, sizeof *out.tok) : NULL, 0};
    double best = 0;
    if (!out.tok) {
        fprintf(stderr, "bench_tokenizer: cannot read %s\n", path);
        free(text);
        return 1;
    }
    for (long i = 0; i < repeat; i++) {
        gpt2c_encoder *encoder = NULL;
        out.n_tok = 0;
        const double begin = now();
        if (gpt2c_encoder_create(&encoder, tokenizer, GPT2C_SPECIAL_TEXT, n_threads, keep, &out,
                                 &err) ||
            gpt2c_encoder_feed(encoder, text, n_bytes, &err) ||
            gpt2c_encoder_finish(encoder, &err)) {
            fprintf(stderr, "bench_tokenizer: %s\n", err.msg);
        }
        const double rate = (double)n_bytes / (now() - begin) / 1e6;
        gpt2c_encoder_free(&encoder);
        best = rate > best ? rate : best;
    }
    printf("%s %zu %zu %.2f\n", path, n_bytes, out.n_tok, best);
    free(out.tok);
    free(text);
    return err.msg[0] != '\0';
}

int main(int argc, char **argv)
{
    gpt2c_error err = {0};
    gpt2c_tokenizer *tokenizer = NULL;
    if (argc < 5 || gpt2c_tokenizer_open(&tokenizer, argv[1], &err)) {
        fprintf(stderr, "usage: bench_tokenizer MODEL_FOLDER THREADS REPEAT FILE... (%s)\n",
                err.msg);
        return 2;
    }
    const int32_t n_threads = (int32_t)strtol(argv[2], NULL, 10); /* 0: all there are */
    const long repeat = strtol(argv[3], NULL, 10);
    int failed = 0;
    for (int i = 4; i < argc; i++) {
        failed |= bench(tokenizer, n_threads, repeat, argv[i]);
    }
    gpt2c_tokenizer_close(&tokenizer);
    return failed;
}
