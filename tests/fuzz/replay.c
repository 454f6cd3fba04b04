/* main for a fuzz target without libFuzzer: each file of the corpus folder, then fixed mutations of
 * each (bytes changed, cut, repeated, spliced), the same ones on every run. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MUTATIONS = 300, BYTES_MAX = 1 << 20, FILES_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

struct input {
    uint8_t *data; /* [n_bytes], of its own so that a sanitizer sees a read past the end */
    size_t n_bytes;
};

static uint64_t state = 1;

static size_t random_below(size_t n) /* splitmix64 */
{
    state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = state;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return n ? (size_t)((z ^ z >> 31) % n) : 0;
}

static void *allocate(size_t n_bytes)
{
    void *p = malloc(n_bytes ? n_bytes : 1);
    if (!p) {
        fprintf(stderr, "replay: out of memory\n");
        exit(1);
    }
    return p;
}

static struct input read_input(const char *dir, const char *name)
{
    char path[4096];
    struct input in = {NULL, 0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    if (!f) {
        fprintf(stderr, "replay: cannot open %s\n", path);
        exit(1);
    }
    uint8_t *big = allocate(BYTES_MAX);
    in.n_bytes = fread(big, 1, BYTES_MAX, f);
    fclose(f);
    in.data = allocate(in.n_bytes);
    memcpy(in.data, big, in.n_bytes);
    free(big);
    return in;
}

static void run_copy(const uint8_t *data, size_t n_bytes)
{
    uint8_t *exact = allocate(n_bytes);
    memcpy(exact, data, n_bytes);
    LLVMFuzzerTestOneInput(exact, n_bytes);
    free(exact);
}

static void run_mutation(const struct input *in, const struct input *other)
{
    static const char interesting[] = "\0\xff\x7f\x80{}[]\",:0-9\\u \n";
    const size_t cap = in->n_bytes + other->n_bytes + 64;
    uint8_t *work = allocate(cap);
    size_t n = in->n_bytes;
    memcpy(work, in->data, n);
    for (size_t times = 1 + random_below(6); times > 0; times--) {
        const size_t at = random_below(n);
        switch (random_below(6)) {
        case 0:
            if (n) {
                work[at] ^= (uint8_t)(1u << random_below(8));
            }
            break;
        case 1:
            if (n) {
                work[at] = (uint8_t)interesting[random_below(sizeof interesting)];
            }
            break;
        case 2:
            n = at; /* cut */
            break;
        case 3: { /* remove a piece */
            const size_t len = random_below(n - at < 16 ? n - at : 16);
            memmove(work + at, work + at + len, n - at - len);
            n -= len;
            break;
        }
        case 4: { /* repeat a piece */
            const size_t len = random_below(n - at < 8 ? n - at : 8);
            if (n + len <= cap) {
                memmove(work + at + len, work + at, n - at);
                n += len;
            }
            break;
        }
        default: { /* go on as another input does */
            const size_t from = random_below(other->n_bytes);
            const size_t len = other->n_bytes - from;
            if (at + len <= cap && len) {
                memcpy(work + at, other->data + from, len);
                n = at + len;
            }
            break;
        }
        }
    }
    run_copy(work, n);
    free(work);
}

int main(int argc, char **argv)
{
    static struct input inputs[FILES_MAX];
    size_t n_inputs = 0;
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    if (!dir) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return 1;
    }
    for (struct dirent *e = readdir(dir); e && n_inputs < FILES_MAX; e = readdir(dir)) {
        if (e->d_name[0] != '.') {
            inputs[n_inputs++] = read_input(argv[1], e->d_name);
        }
    }
    closedir(dir);
    if (n_inputs == 0) {
        fprintf(stderr, "replay: %s is empty\n", argv[1]);
        return 77;
    }
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (size_t i = 0; i < n_inputs; i++) {
        run_copy(inputs[i].data, inputs[i].n_bytes);
        for (int m = 0; m < MUTATIONS; m++) {
            run_mutation(&inputs[i], &inputs[random_below(n_inputs)]);
        }
    }
    printf("%zu inputs, %d mutations of each\n", n_inputs, MUTATIONS);
    for (size_t i = 0; i < n_inputs; i++) {
        free(inputs[i].data);
    }
    return 0;
}
