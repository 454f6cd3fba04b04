/* A whole safetensors file of any bytes: refused, or every tensor lies inside it. */
#include "safetensors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static void require(bool ok)
{
    if (!ok) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct mapfile file = {.n_bytes = n_bytes, .path = strdup("fuzz")};
    unsigned char *copy = malloc(n_bytes ? n_bytes : 1);
    struct safetensors st;
    gpt2c_error err = {0};
    require(copy && file.path);
    memcpy(copy, data, n_bytes);
    file.data = copy;
    if (safetensors_parse(&st, &file, &err)) {
        require(err.code == GPT2C_E_FORMAT && err.msg[0]);
        return 0;
    }
    uint64_t end = n_bytes;
    for (size_t i = st.n_tensors; i-- > 0;) { /* side by side up to the end */
        const struct tensor *t = &st.tensors[i];
        require(t->offset + t->n_bytes == end && t->data == st.file.data + t->offset);
        require(safetensors_find(&st, t->name) == t);
        end = t->offset;
    }
    safetensors_close(&st);
    return 0;
}
