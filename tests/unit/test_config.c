/* config.json: what is honoured, what is refused by name, what is ignored and what is noted. */
#include "check.h"
#include "config.h"

#include <stdlib.h>

static struct config config;
static gpt2c_error err;
static char notes[2000];

static void on_log(void *user, const char *line)
{
    strncat(user, line, sizeof notes - strlen(user) - 1);
}

static gpt2c_status read_text(const char *text)
{
    const size_t n = strlen(text);
    unsigned char *exact = malloc(n ? n : 1);
    memcpy(exact, text, n);
    notes[0] = '\0';
    const gpt2c_status st = config_read(&config, "config.json", exact, n, on_log, notes, &err);
    free(exact);
    return st;
}

static void check_accepted(const char *text, const char *note)
{
    if (!CHECK_INT(read_text(text), GPT2C_OK)) {
        fprintf(stderr, "  %s: %s\n", text, err.msg);
    }
    CHECK(note ? strstr(notes, note) != NULL : notes[0] == '\0');
}

static void check_refused(const char *text, gpt2c_status code, const char *part)
{
    if (!CHECK_INT(read_text(text), code)) {
        fprintf(stderr, "  %s\n", text);
        return;
    }
    CHECK_HAS(err.msg, part);
    CHECK_HAS(err.msg, "config.json");
}

static void check_sizes(void)
{
    check_accepted("{}", NULL); /* Hugging Face's defaults */
    CHECK_INT(config.hp.n_layer, 12);
    CHECK_INT(config.hp.n_head, 12);
    CHECK_INT(config.hp.n_embd, 768);
    CHECK_INT(config.hp.n_ctx, 1024);
    CHECK_INT(config.hp.n_vocab, 50257);
    CHECK_INT(config.hp.n_ff, 3072);
    CHECK_INT(config.hp.bos, 50256);
    CHECK(config.tie_word_embeddings);
    check_accepted("{\"n_layer\":3,\"n_head\":2,\"n_embd\":8,\"n_positions\":16,\"n_ctx\":16,"
                   "\"vocab_size\":40,\"n_inner\":12,\"layer_norm_epsilon\":1e-6,"
                   "\"tie_word_embeddings\":false,\"bos_token_id\":null,\"eos_token_id\":39}",
                   NULL);
    CHECK_INT(config.hp.n_layer, 3);
    CHECK_INT(config.hp.n_ctx, 16);
    CHECK_INT(config.hp.n_ff, 12);
    CHECK_INT(config.hp.bos, -1);
    CHECK_INT(config.hp.eos, 39);
    CHECK_NEAR(config.hp.layer_norm_epsilon, 1e-6, 1e-12);
    CHECK(!config.tie_word_embeddings);
    check_accepted("{\"num_hidden_layers\":3,\"hidden_size\":24,\"max_position_embeddings\":7,"
                   "\"n_inner\":null}",
                   NULL);
    CHECK_INT(config.hp.n_layer, 3);
    CHECK_INT(config.hp.n_embd, 24);
    CHECK_INT(config.hp.n_ff, 96);
    CHECK_INT(config.hp.n_ctx, 7);
    check_accepted("{\"n_ctx\":512}", NULL);
    CHECK_INT(config.hp.n_ctx, 512);
    check_accepted("{\"n_ctx\":512,\"n_positions\":1024}", "n_ctx 512");
    CHECK_INT(config.hp.n_ctx, 1024);
    check_accepted("{\"vocab_size\":100}", NULL); /* ids that cannot occur */
    CHECK_INT(config.hp.eos, -1);
}

static void check_settings(void)
{
    check_accepted("{\"model_type\":\"gpt2\",\"activation_function\":\"gelu_new\","
                   "\"scale_attn_weights\":true,\"scale_attn_by_inverse_layer_idx\":false,"
                   "\"add_cross_attention\":false,\"reorder_and_upcast_attn\":true,"
                   "\"attn_pdrop\":0.1,\"summary_type\":\"cls_index\",\"pruned_heads\":{},"
                   "\"task_specific_params\":{\"a\":[1,{}]},\"architectures\":[\"x\"]}",
                   NULL);
    check_accepted("{\"activation_function\":\"gelu_pytorch_tanh\"}", NULL);
    check_accepted("{\"activation_function\":\"gelu_fast\"}", NULL);
    check_accepted("{\"no_such\\u001b\":1}", "no_such");
    const struct {
        const char *text, *part;
    } refused[] = {
        {"{\"model_type\":\"bert\"}", "model_type: expected gpt2, found bert"},
        {"{\"activation_function\":\"relu\"}",
         "activation_function: expected gelu_new, found relu"},
        {"{\"activation_function\":\"gelu\"}", "found gelu"},
        {"{\"scale_attn_weights\":false}", "scale_attn_weights"},
        {"{\"scale_attn_by_inverse_layer_idx\":true}", "scale_attn_by_inverse_layer_idx"},
        {"{\"add_cross_attention\":true}", "add_cross_attention"},
        {"{\"is_encoder_decoder\":true}", "is_encoder_decoder"},
        {"{\"pruned_heads\":{\"1\":[0]}}", "pruned_heads"},
        {"{\"quantization_config\":{\"bits\":4}}", "quantization_config"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        check_refused(refused[i].text, GPT2C_E_UNSUPPORTED, refused[i].part);
    }
}

static void check_ranges(void)
{
    const struct {
        const char *text, *part;
    } bad[] = {
        {"", "ends too early"},
        {"[]", "expected a JSON object"},
        {"{\"n_layer\":0}", "n_layer"},
        {"{\"n_layer\":-1}", "n_layer"},
        {"{\"n_layer\":1.5}", "n_layer"},
        {"{\"n_layer\":\"1\"}", "n_layer"},
        {"{\"n_layer\":1e999}", "n_layer"},
        {"{\"n_layer\":99999999999999999999}", "n_layer"},
        {"{\"n_layer\":1,\"n_layer\":1}", "twice"},
        {"{\"n_embd\":96,\"hidden_size\":96}", "twice"},
        {"{\"n_head\":7}", "n_head 7 does not divide n_embd 768"},
        {"{\"vocab_size\":16777217}", "vocab_size"},
        {"{\"eos_token_id\":1.5}", "eos_token_id"},
        {"{\"eos_token_id\":-2}", "eos_token_id"},
        {"{\"layer_norm_epsilon\":-1}", "layer_norm_epsilon"},
        {"{\"layer_norm_epsilon\":true}", "layer_norm_epsilon"},
        {"{\"tie_word_embeddings\":1}", "tie_word_embeddings"},
        {"{\"n_layer\":12}x", "more after the end"},
        {"{\"x\":0.00000000000000000000000000000000000000000000000000000000001}", "too long"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        check_refused(bad[i].text, GPT2C_E_FORMAT, bad[i].part);
    }
}

int main(void)
{
    check_sizes();
    check_settings();
    check_ranges();
    return check_result();
}
