/* Writing a safetensors file of float32 tensors. */
#include "safetensors_out.h"

#include "cli.h"
#include "jsonout.h"

#include <stdlib.h>
#include <string.h>

size_t safetensors_out_numel(const struct safetensors_out *tensor)
{
    size_t n = 1;
    for (int32_t i = 0; i < tensor->n_dims; i++) {
        n *= tensor->shape[i];
    }
    return n;
}

/* The header's text: heap. */
static char *make_header(const struct safetensors_out *tensors, size_t n_tensors,
                         const char *const *metadata)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *meta = cJSON_AddObjectToObject(root, "__metadata__");
    for (size_t i = 0; metadata[i]; i += 2) {
        cJSON_AddStringToObject(meta, metadata[i], metadata[i + 1]);
    }
    size_t offset = 0;
    for (size_t i = 0; i < n_tensors; i++) {
        const struct safetensors_out *t = &tensors[i];
        const size_t end = offset + safetensors_out_numel(t) * sizeof(float);
        cJSON *entry = cJSON_AddObjectToObject(root, t->name);
        cJSON_AddStringToObject(entry, "dtype", "F32");
        cJSON *shape = cJSON_AddArrayToObject(entry, "shape");
        for (int32_t d = 0; d < t->n_dims; d++) {
            cJSON_AddItemToArray(shape, jsonout_int((int64_t)t->shape[d]));
        }
        cJSON *offsets = cJSON_AddArrayToObject(entry, "data_offsets");
        cJSON_AddItemToArray(offsets, jsonout_int((int64_t)offset));
        cJSON_AddItemToArray(offsets, jsonout_int((int64_t)end));
        offset = end;
    }
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}

void safetensors_out_write(FILE *f, const struct safetensors_out *tensors, size_t n_tensors,
                           const char *const *metadata)
{
    char *header = make_header(tensors, n_tensors, metadata);
    const size_t n_text = strlen(header);
    const size_t n_header = (8 + n_text + 63) / 64 * 64 - 8; /* spaces after the JSON are legal */
    unsigned char length[8];
    for (int i = 0; i < 8; i++) {
        length[i] = (unsigned char)(n_header >> 8 * i);
    }
    fwrite(length, 1, sizeof length, f);
    fprintf(f, "%s%*s", header, (int)(n_header - n_text), "");
    free(header);
    for (size_t i = 0; i < n_tensors; i++) {
        fwrite(tensors[i].data, sizeof(float), safetensors_out_numel(&tensors[i]), f);
    }
}
