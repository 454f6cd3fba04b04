/* What generate reports as JSON. */
#ifndef GENERATE_JSON_H
#define GENERATE_JSON_H

#include "generate.h"
#include "jsonout.h"

/* {"ids":…,"text":…,"finish_reason":…} and logprobs when they were kept. */
cJSON *generate_json_sample(const struct generator *g, const struct gen_sample *s);
cJSON *generate_json_timings(const struct generator *g);

#endif
