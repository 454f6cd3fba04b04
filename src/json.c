/* The scan checks, cJSON builds. */
#include "json.h"

#include "jsonscan.h"
#include "status.h"

gpt2c_status json_parse(cJSON **out, const char *what, const unsigned char *text, size_t n_bytes,
                        const struct json_limits *limits, gpt2c_error *err)
{
    struct jsonscan scan;
    *out = NULL;
    jsonscan_init(&scan, text, n_bytes, what);
    scan.max_values = limits->max_values;
    scan.whole_numbers = limits->whole_numbers;
    gpt2c_status st = jsonscan_skip(&scan, err);
    st = st ? st : jsonscan_end(&scan, err);
    jsonscan_free(&scan);
    if (st) {
        return st;
    }
    *out = cJSON_ParseWithLengthOpts((const char *)text, n_bytes, NULL, false);
    if (!*out) { /* the text is valid and bounded: nothing else can fail */
        return status_fail(err, GPT2C_E_NOMEM, "%s: out of memory for %zu JSON values", what,
                           scan.n_values);
    }
    return GPT2C_OK;
}
