/* Continues a text by its likeliest tokens, then says what the text's last token attends to most in
 * one head: cc example.c $(pkg-config --cflags --libs gpt2c) */
#include <gpt2c/gpt2c.h>
#include <stdio.h>
#include <string.h>

enum { LAYER = 11, HEAD = 0, N_NEW = 24, N_MAX = 64 };

/* Called during an evaluation with rows of attention: one weight for each position so far. */
static int on_attention(void *user, const gpt2c_activation *a)
{
    int32_t *strongest = user;
    if (a->layer == LAYER && a->head == HEAD) {
        const float *row = a->data + (size_t)(a->n_rows - 1) * a->ld; /* the last token's */
        for (int32_t i = 0; i < a->n_cols; i++) {
            *strongest = row[i] > row[*strongest] ? i : *strongest;
        }
    }
    return 0;
}

static gpt2c_status run(const gpt2c_tokenizer *tk, gpt2c_session *s, const char *text,
                        gpt2c_error *err)
{
    gpt2c_token tok[N_MAX];
    size_t n_tok = 0;
    gpt2c_status st = gpt2c_tokenizer_encode(tk, text, strlen(text), GPT2C_SPECIAL_ALLOW, tok,
                                             N_MAX, &n_tok, err);
    if (st || n_tok == 0 || n_tok > N_MAX) {
        return st;
    }
    int32_t strongest = 0;
    gpt2c_session_set_tap(s, GPT2C_ATTN, on_attention, &strongest);
    st = gpt2c_session_eval(s, tok, (int32_t)n_tok, err);
    gpt2c_session_set_tap(s, 0, NULL, NULL);

    const int32_t n_vocab = gpt2c_model_hparams(gpt2c_session_model(s))->n_vocab;
    for (int i = 0; !st && i < N_NEW; i++) {
        const float *logits = gpt2c_session_logits(s, 0);
        gpt2c_token next = 0;
        for (gpt2c_token t = 1; t < n_vocab; t++) {
            next = logits[t] > logits[next] ? t : next;
        }
        size_t n_bytes = 0;
        const char *bytes = gpt2c_tokenizer_bytes(tk, next, &n_bytes);
        fwrite(bytes, 1, n_bytes, stdout);
        st = gpt2c_session_eval(s, &next, 1, err);
    }
    if (!st) {
        size_t n_bytes = 0;
        const char *bytes = gpt2c_tokenizer_bytes(tk, tok[strongest], &n_bytes);
        printf("\nlayer %d, head %d: \"%s\" ends by looking at \"%.*s\" (position %d)\n", LAYER,
               HEAD, text, (int)n_bytes, bytes, strongest);
    }
    return st;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "weights/default";
    const char *text = argc > 2 ? argv[2] : "The dog chased the ball because it was excited.";
    gpt2c_model *model = NULL;
    gpt2c_tokenizer *tk = NULL;
    gpt2c_session *s = NULL;
    gpt2c_error err;
    gpt2c_status st = gpt2c_model_open(&model, folder, NULL, &err);
    st = st ? st : gpt2c_tokenizer_open(&tk, folder, &err);
    st = st ? st : gpt2c_session_create(&s, model, NULL, &err);
    st = st ? st : run(tk, s, text, &err);
    if (st) {
        fprintf(stderr, "%s: %s\n", gpt2c_status_text(st), err.msg);
    }
    gpt2c_session_free(&s);
    gpt2c_tokenizer_close(&tk);
    gpt2c_model_close(&model);
    return st != GPT2C_OK;
}
