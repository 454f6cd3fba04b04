/* vocab.json: the input stands behind the 256 bytes, or, when it begins with '{', is the file. */
#include "all_bytes.h"
#include "check_vocab.h"
#include "memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    static const char merges_text[] = "a b\nab c\n# #\nab ab\n";
    struct vocab vocab;
    gpt2c_error err = {0};
    char *text = malloc(n_bytes + 8200);
    size_t n = 0;
    if (!text) {
        return 0;
    }
    if (n_bytes == 0 || data[0] != '{') {
        text[n++] = '{';
        n += all_bytes_write(text + n);
    }
    if (n_bytes > 0) {
        memcpy(text + n, data, n_bytes);
    }
    struct memory_file tokens = memory_file_make(text, n + n_bytes);
    struct memory_file merges = memory_file_make(merges_text, strlen(merges_text));
    if (vocab_files_load(&vocab, tokens.path, merges.path, &err) == GPT2C_OK) {
        check_vocab(&vocab);
    } else if (!err.msg[0]) {
        abort();
    }
    vocab_free(&vocab);
    close(tokens.fd);
    close(merges.fd);
    free(text);
    return 0;
}
