/* What generate reports as JSON. */
#include "generate_json.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

static void add_token(const struct generator *g, cJSON *object, gpt2c_token token, double log_p)
{
    char *text = text_token_hf(g->tokenizer, token);
    cJSON_AddItemToObject(object, "id", jsonout_int(token));
    cJSON_AddItemToObject(object, "token", jsonout_string(text, strlen(text)));
    cJSON_AddItemToObject(object, "logprob", jsonout_double(log_p));
    free(text);
}

static cJSON *json_logprobs(const struct generator *g, const struct gen_sample *s)
{
    const size_t n_top = (size_t)g->params.n_logprobs;
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < s->n_tok - s->n_prompt; i++) {
        cJSON *entry = cJSON_CreateObject();
        add_token(g, entry, s->tok[s->n_prompt + i], s->log_p[i]);
        cJSON *top = cJSON_AddArrayToObject(entry, "top");
        for (size_t k = i * n_top; k < (i + 1) * n_top; k++) {
            cJSON *alternative = cJSON_CreateObject();
            add_token(g, alternative, s->top[k], s->top_log_p[k]);
            cJSON_AddItemToArray(top, alternative);
        }
        cJSON_AddItemToArray(array, entry);
    }
    return array;
}

cJSON *generate_json_sample(const struct generator *g, const struct gen_sample *s)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToObject(object, "ids",
                          jsonout_ints(s->tok + s->n_prompt, s->n_tok - s->n_prompt));
    cJSON_AddItemToObject(object, "text", jsonout_string(s->text.data, s->text.n_bytes));
    cJSON_AddStringToObject(object, "finish_reason", gen_finish_names[s->finish]);
    if (g->params.n_logprobs >= 0) {
        cJSON_AddItemToObject(object, "logprobs", json_logprobs(g, s));
    }
    return object;
}

static double rate(size_t n, double seconds)
{
    return seconds > 0 ? (double)n / seconds : 0;
}

cJSON *generate_json_timings(const struct generator *g)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToObject(object, "load_ms", jsonout_double(g->load_s * 1e3));
    cJSON_AddItemToObject(object, "prefill_ms", jsonout_double(g->prefill_s * 1e3));
    cJSON_AddItemToObject(object, "prefill_tokens_per_s",
                          jsonout_double(rate(g->n_prefilled, g->prefill_s)));
    cJSON_AddItemToObject(object, "decode_ms", jsonout_double(g->decode_s * 1e3));
    cJSON_AddItemToObject(object, "decode_tokens_per_s",
                          jsonout_double(rate(g->n_decoded, g->decode_s)));
    return object;
}
