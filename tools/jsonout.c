/* JSON documents over cJSON. Strings and numbers are made here, as raw JSON: cJSON's own strings
 * end at a NUL and may not be UTF-8, its numbers are doubles with digits that a float does not
 * have. */
#include "jsonout.h"

#include "cli.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *alloc_or_end(size_t n_bytes)
{
    return cli_alloc(n_bytes, 1);
}

cJSON *jsonout_document(void)
{
    cJSON_Hooks hooks = {alloc_or_end, free};
    cJSON_InitHooks(&hooks);
    cJSON *document = cJSON_CreateObject();
    cJSON_AddNumberToObject(document, "schema", 1);
    return document;
}

cJSON *jsonout_string(const char *bytes, size_t n_bytes)
{
    /* Worst case six characters of a byte, \u0000, and two quotes. */
    char *text = cli_alloc(n_bytes + 1, 6);
    size_t n = 0;
    text[n++] = '"';
    for (size_t i = 0; i < n_bytes;) {
        uint32_t cp = 0;
        const size_t len = text_next(bytes + i, n_bytes - i, &cp);
        if (cp == '"' || cp == '\\') {
            text[n++] = '\\';
            text[n++] = (char)cp;
        } else if (cp == '\n') {
            text[n++] = '\\';
            text[n++] = 'n';
        } else if (cp < 0x20 || cp == 0x7f) {
            n += (size_t)snprintf(text + n, 7, "\\u%04x", cp);
        } else if (cp == TEXT_INVALID) {
            memcpy(text + n, "\xef\xbf\xbd", 3);
            n += 3;
        } else {
            memcpy(text + n, bytes + i, len);
            n += len;
        }
        i += len;
    }
    text[n++] = '"';
    text[n] = '\0';
    cJSON *raw = cJSON_CreateRaw(text);
    free(text);
    return raw;
}

cJSON *jsonout_float(float x)
{
    if (!isfinite(x)) {
        return cJSON_CreateNull();
    }
    char text[32];
    return cJSON_CreateRaw(text_float(text, x));
}

cJSON *jsonout_double(double x)
{
    return isfinite(x) ? cJSON_CreateNumber(x) : cJSON_CreateNull();
}

cJSON *jsonout_int(int64_t x)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)x);
    return cJSON_CreateRaw(text);
}

cJSON *jsonout_ints(const int32_t *v, size_t n)
{
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < n; i++) {
        cJSON_AddItemToArray(array, jsonout_int(v[i]));
    }
    return array;
}

int jsonout_write(cJSON *document, FILE *f)
{
    char *text = cJSON_PrintUnformatted(document);
    cJSON_Delete(document);
    if (!text) {
        return cli_fail(EXIT_MEMORY, "no memory for the JSON document");
    }
    fputs(text, f);
    fputc('\n', f);
    free(text);
    return EXIT_OK;
}

int jsonout_print(cJSON *document, const char *output)
{
    struct outfile out;
    int code = outfile_open(&out, output);
    if (code) {
        cJSON_Delete(document);
        return code;
    }
    code = jsonout_write(document, out.f);
    if (code) {
        outfile_discard(&out);
        return code;
    }
    return outfile_commit(&out);
}
