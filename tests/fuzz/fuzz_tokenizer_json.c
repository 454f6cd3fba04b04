/* tokenizer.json of any bytes; "@" stands for the entries of all 256 bytes. */
#include "all_bytes.h"
#include "check_vocab.h"
#include "memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct vocab vocab;
    gpt2c_error err = {0};
    const uint8_t *const at = n_bytes ? memchr(data, '@', n_bytes) : NULL;
    const size_t n_before = at ? (size_t)(at - data) : n_bytes;
    char *text = malloc(n_bytes + 8200);
    size_t n = n_before;
    if (!text) {
        return 0;
    }
    if (n_before > 0) {
        memcpy(text, data, n_before);
    }
    if (at) {
        n += all_bytes_write(text + n);
        memcpy(text + n, at + 1, n_bytes - n_before - 1);
        n += n_bytes - n_before - 1;
    }
    struct memory_file file = memory_file_make(text, n);
    if (vocab_hf_load(&vocab, file.path, &err) == GPT2C_OK) {
        check_vocab(&vocab);
    } else if (!err.msg[0]) {
        abort();
    }
    vocab_free(&vocab);
    close(file.fd);
    free(text);
    return 0;
}
