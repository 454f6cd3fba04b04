/* Strict JSON in front of cJSON. cJSON is lenient and recursive, so jsonscan, which is neither,
 * first checks the text and the caller's limits; what cJSON then builds is bounded. */
#ifndef JSON_H
#define JSON_H

#include "gpt2c/gpt2c.h"

#include <cjson/cJSON.h>

struct json_limits {
    size_t max_values;  /* values of any kind, those inside others included */
    bool whole_numbers; /* every number is 0 … 2^53-1, without sign, fraction or exponent */
};

/* Parses text [n_bytes] (no NUL needed): one value with whitespace around it. `what` opens the
 * message, such as "model.safetensors: header". The caller ends *out with cJSON_Delete. */
gpt2c_status json_parse(cJSON **out, const char *what, const unsigned char *text, size_t n_bytes,
                        const struct json_limits *limits, gpt2c_error *err);

#endif
