/* A text on a model: what the commands that look inside begin with. */
#ifndef PROMPT_H
#define PROMPT_H

#include "cli.h"

#include <cjson/cJSON.h>

struct prompt {
    gpt2c_model *model;
    gpt2c_tokenizer *tokenizer;
    const gpt2c_hparams *hp;  /* the model's */
    struct cli_tokens tokens; /* 1 or more, within the context */
    gpt2c_session *session;   /* after prompt_session: room for the tokens, none evaluated */
};

/* Each returns an exit code and prints its error; prompt_close is right after any of them, and on a
 * zeroed prompt. */
int prompt_open(struct prompt *p, const struct cli_common *common);
int prompt_session(struct prompt *p, const struct cli_common *common, int32_t n_logits);
/* Evaluates the tokens with a tap for `what`. */
int prompt_eval(struct prompt *p, uint32_t what, gpt2c_tap_fn fn, void *user);
void prompt_close(struct prompt *p);

/* A token as GPT-2's files write it, for JSON and as a field of CSV. */
cJSON *prompt_json(const struct prompt *p, gpt2c_token token);
void prompt_csv(const struct prompt *p, gpt2c_token token, FILE *f);

#endif
