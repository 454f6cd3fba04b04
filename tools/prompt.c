/* Opening a model, encoding the text for it and running it once with a tap. */
#include "prompt.h"

#include "text.h"

#include <stdlib.h>

int prompt_open(struct prompt *p, const struct cli_common *common)
{
    *p = (struct prompt){0};
    const int code = cli_open(common, &p->model, &p->tokenizer);
    if (code) {
        return code;
    }
    p->hp = gpt2c_model_hparams(p->model);
    return cli_read_prompt(common, CLI_DEFAULT_PROMPT, p->model, p->tokenizer, &p->tokens);
}

int prompt_session(struct prompt *p, const struct cli_common *common, int32_t n_logits)
{
    gpt2c_session_params params = gpt2c_session_default_params();
    gpt2c_error err;
    params.n_ctx = (int32_t)p->tokens.n_tok;
    params.n_logits = n_logits;
    params.n_threads = common->n_threads;
    if (gpt2c_session_create(&p->session, p->model, &params, &err)) {
        return cli_fail_status(&err);
    }
    gpt2c_session_set_cancel(p->session, cli_cancel, NULL);
    return EXIT_OK;
}

int prompt_eval(struct prompt *p, uint32_t what, gpt2c_tap_fn fn, void *user)
{
    gpt2c_error err;
    gpt2c_session_set_tap(p->session, what, fn, user);
    const gpt2c_status status =
        gpt2c_session_eval(p->session, p->tokens.tok, (int32_t)p->tokens.n_tok, &err);
    gpt2c_session_set_tap(p->session, 0, NULL, NULL);
    return status ? cli_fail_status(&err) : EXIT_OK;
}

void prompt_close(struct prompt *p)
{
    free(p->tokens.tok);
    p->tokens = (struct cli_tokens){0};
    gpt2c_session_free(&p->session);
    gpt2c_tokenizer_close(&p->tokenizer);
    gpt2c_model_close(&p->model);
}

cJSON *prompt_json(const struct prompt *p, gpt2c_token token)
{
    char *text = text_token_hf(p->tokenizer, token);
    cJSON *string = cJSON_CreateString(text);
    free(text);
    return string;
}

void prompt_csv(const struct prompt *p, gpt2c_token token, FILE *f)
{
    char *text = text_token_hf(p->tokenizer, token);
    text_csv(f, text);
    free(text);
}
