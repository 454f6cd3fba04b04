/* merges.txt of any bytes, with a vocab.json that has what its lines make as far as it is plain. */
#include "all_bytes.h"
#include "check_vocab.h"
#include "memory_file.h"

enum { WORDS_MAX = 300, WORD_BYTES = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

struct words {
    char text[WORDS_MAX][WORD_BYTES + 1];
    unsigned n;
};

static bool is_word(const struct words *words, const char *text, size_t n)
{
    for (unsigned i = 0; i < words->n; i++) {
        if (strlen(words->text[i]) == n && memcmp(words->text[i], text, n) == 0) {
            return true;
        }
    }
    return n == 1 && text[0] > ' ' && text[0] < 0x7f && text[0] != '"' && text[0] != '\\';
}

static void add_line(struct words *words, const char *line, size_t n)
{
    char made[WORD_BYTES + 1];
    const char *const space = memchr(line, ' ', n);
    const size_t n_left = space ? (size_t)(space - line) : 0;
    const size_t n_right = space ? n - n_left - 1 : 0;
    if (n_left + n_right > WORD_BYTES || words->n == WORDS_MAX || !n_left || !n_right ||
        !is_word(words, line, n_left) || !is_word(words, space + 1, n_right)) {
        return;
    }
    memcpy(made, line, n_left);
    memcpy(made + n_left, space + 1, n_right);
    if (!is_word(words, made, n_left + n_right)) {
        made[n_left + n_right] = '\0';
        memcpy(words->text[words->n++], made, n_left + n_right + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    static struct words words;
    static char text[8200 + WORDS_MAX * (WORD_BYTES + 16)];
    struct vocab vocab;
    gpt2c_error err = {0};
    size_t n = 0;
    words.n = 0;
    for (size_t at = 0; at < n_bytes;) {
        const char *const line = (const char *)data + at;
        const char *const newline = memchr(line, '\n', n_bytes - at);
        const size_t n_line = newline ? (size_t)(newline - line) : n_bytes - at;
        add_line(&words, line, n_line);
        at += n_line + 1;
    }
    text[n++] = '{';
    n += all_bytes_write(text + n);
    for (unsigned i = 0; i < words.n; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, ",\"%s\":%u", words.text[i], 256 + i);
    }
    text[n++] = '}';
    struct memory_file tokens = memory_file_make(text, n);
    struct memory_file merges = memory_file_make(data, n_bytes);
    if (vocab_files_load(&vocab, tokens.path, merges.path, &err) == GPT2C_OK) {
        check_vocab(&vocab);
    } else if (!err.msg[0]) {
        abort();
    }
    vocab_free(&vocab);
    close(tokens.fd);
    close(merges.fd);
    return 0;
}
