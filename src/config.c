/* config.json against what is implemented. A setting is honoured, refused by name, or known to
 * change nothing in inference; anything else is unknown and noted, never silently dropped. */
#include "config.h"

#include "json.h"
#include "status.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

#define MAX_JSON_VALUES ((size_t)100000)

enum kind { SIZE, TOKEN, REAL, BOOL, ACTIVATION, MODEL_TYPE, NO_PRUNED_HEADS, REFUSED };

struct values { /* as the file has them; -1: not given */
    int32_t n_layer, n_head, n_embd, n_positions, n_ctx, n_vocab, n_inner;
    int32_t bos, eos;
    float layer_norm_epsilon;
    bool tie, scale_attn, scale_by_layer, cross_attention, encoder_decoder;
};

struct setting {
    const char *name;
    enum kind kind;
    size_t at; /* offset in struct values */
    int32_t max;
};

#define AT(field) offsetof(struct values, field)

/* The names with two spellings are those of GPT2Config.attribute_map. */
static const struct setting settings[] = {
    {"n_layer", SIZE, AT(n_layer), 4096},
    {"num_hidden_layers", SIZE, AT(n_layer), 4096},
    {"n_head", SIZE, AT(n_head), 1 << 16},
    {"num_attention_heads", SIZE, AT(n_head), 1 << 16},
    {"n_embd", SIZE, AT(n_embd), 1 << 16},
    {"hidden_size", SIZE, AT(n_embd), 1 << 16},
    {"n_positions", SIZE, AT(n_positions), 1 << 20},
    {"max_position_embeddings", SIZE, AT(n_positions), 1 << 20},
    {"n_ctx", SIZE, AT(n_ctx), 1 << 20},
    {"vocab_size", SIZE, AT(n_vocab), 1 << 24},
    {"n_inner", SIZE, AT(n_inner), 1 << 20},
    {"bos_token_id", TOKEN, AT(bos), 0},
    {"eos_token_id", TOKEN, AT(eos), 0},
    {"layer_norm_epsilon", REAL, AT(layer_norm_epsilon), 0},
    {"tie_word_embeddings", BOOL, AT(tie), 0},
    {"scale_attn_weights", BOOL, AT(scale_attn), 0},
    {"scale_attn_by_inverse_layer_idx", BOOL, AT(scale_by_layer), 0},
    {"add_cross_attention", BOOL, AT(cross_attention), 0},
    {"is_encoder_decoder", BOOL, AT(encoder_decoder), 0},
    {"activation_function", ACTIVATION, 0, 0},
    {"model_type", MODEL_TYPE, 0, 0},
    {"pruned_heads", NO_PRUNED_HEADS, 0, 0},
    {"quantization_config", REFUSED, 0, 0},
};

/* All of them compute 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). */
static const char *const activations[] = {"gelu_new", "gelu_pytorch_tanh", "gelu_fast",
                                          "gelu_accurate", "gelu_python_tanh"};

/* Training, summaries, tasks, bookkeeping, and defaults of generate(). reorder_and_upcast_attn
 * changes nothing in float32. */
static const char *const ignored[] = {
    "_name_or_path", "architectures", "attn_pdrop", "auto_map", "bad_words_ids",
    "chunk_size_feed_forward", "cross_attention_hidden_size", "decoder_start_token_id",
    "diversity_penalty", "do_sample", "dtype", "early_stopping", "embd_pdrop",
    "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty", "finetuning_task",
    "forced_bos_token_id", "forced_eos_token_id", "gradient_checkpointing", "id2label",
    "initializer_range", "is_decoder", "label2id", "length_penalty", "max_length", "min_length",
    "no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_labels", "num_return_sequences",
    "output_attentions", "output_hidden_states", "output_past", "output_scores", "pad_token_id",
    "predict_special_tokens", "prefix", "problem_type", "remove_invalid_values",
    "reorder_and_upcast_attn", "repetition_penalty", "resid_pdrop", "return_dict",
    "return_dict_in_generate", "sep_token_id", "suppress_tokens", "begin_suppress_tokens",
    "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type",
    "summary_use_proj", "task_specific_params", "temperature", "tf_legacy_loss",
    "tie_encoder_decoder", "tokenizer_class", "top_k", "top_p", "torch_dtype", "torchscript",
    "transformers_version", "typical_p", "use_bfloat16", "use_cache", "attn_implementation",
    "_attn_implementation_autoset"};

#define N(array) (sizeof(array) / sizeof *(array))

static bool is_one_of(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(name, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_whole(const cJSON *item, double min, double max)
{
    return cJSON_IsNumber(item) && item->valuedouble >= min && item->valuedouble <= max &&
           item->valuedouble == (double)(int32_t)item->valuedouble;
}

static const char *text_of(const cJSON *item)
{
    return cJSON_IsString(item) ? item->valuestring : "(not a string)";
}

static gpt2c_status read_setting(struct values *v, const struct setting *s, const cJSON *item,
                                 const char *path, gpt2c_error *err)
{
    void *at = (char *)v + s->at;
    switch (s->kind) {
    case SIZE:
        if (s->at == AT(n_inner) && cJSON_IsNull(item)) {
            return GPT2C_OK;
        }
        if (!is_whole(item, 1, s->max)) {
            return status_fail(err, GPT2C_E_FORMAT, "%s: %s: expected a whole number from 1 to %d",
                               path, s->name, s->max);
        }
        *(int32_t *)at = (int32_t)item->valuedouble;
        return GPT2C_OK;
    case TOKEN:
        if (cJSON_IsNull(item)) {
            *(int32_t *)at = -1;
            return GPT2C_OK;
        }
        if (!is_whole(item, -1, INT32_MAX)) {
            return status_fail(err, GPT2C_E_FORMAT, "%s: %s: expected a token id", path, s->name);
        }
        *(int32_t *)at = (int32_t)item->valuedouble;
        return GPT2C_OK;
    case REAL:
        if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= 1)) {
            return status_fail(err, GPT2C_E_FORMAT, "%s: %s: expected a number from 0 to 1", path,
                               s->name);
        }
        *(float *)at = (float)item->valuedouble;
        return GPT2C_OK;
    case BOOL:
        if (!cJSON_IsBool(item)) {
            return status_fail(err, GPT2C_E_FORMAT, "%s: %s: expected true or false", path,
                               s->name);
        }
        *(bool *)at = cJSON_IsTrue(item);
        return GPT2C_OK;
    case ACTIVATION:
        if (!is_one_of(text_of(item), activations, N(activations))) {
            return status_fail(err, GPT2C_E_UNSUPPORTED,
                               "%s: activation_function: expected gelu_new, found %.64s", path,
                               text_of(item));
        }
        return GPT2C_OK;
    case MODEL_TYPE:
        if (strcmp(text_of(item), "gpt2") != 0) {
            return status_fail(err, GPT2C_E_UNSUPPORTED,
                               "%s: model_type: expected gpt2, found %.64s", path, text_of(item));
        }
        return GPT2C_OK;
    case NO_PRUNED_HEADS:
        if (item->child) {
            return status_fail(err, GPT2C_E_UNSUPPORTED, "%s: pruned_heads: expected none", path);
        }
        return GPT2C_OK;
    case REFUSED:
        break;
    }
    if (cJSON_IsNull(item)) {
        return GPT2C_OK;
    }
    return status_fail(err, GPT2C_E_UNSUPPORTED, "%s: %s is not implemented", path, s->name);
}

/* Two spellings of a setting are one. */
static bool is_seen(const bool *seen, size_t i)
{
    for (size_t k = 0; k < N(settings); k++) {
        if (seen[k] && (k == i || (settings[k].kind == SIZE && settings[i].kind == SIZE &&
                                   settings[k].at == settings[i].at))) {
            return true;
        }
    }
    return false;
}

static gpt2c_status read_all(struct values *v, const cJSON *root, const char *path,
                             gpt2c_log_fn log, void *log_user, gpt2c_error *err)
{
    bool seen[N(settings)] = {false};
    const cJSON *item;
    if (!cJSON_IsObject(root)) {
        return status_fail(err, GPT2C_E_FORMAT, "%s: expected a JSON object", path);
    }
    cJSON_ArrayForEach (item, root) {
        size_t i = 0;
        while (i < N(settings) && strcmp(item->string, settings[i].name) != 0) {
            i++;
        }
        if (i == N(settings)) {
            if (log && !is_one_of(item->string, ignored, N(ignored))) {
                char line[200];
                snprintf(line, sizeof line, "%.100s: unknown setting %.64s ignored", path,
                         item->string);
                log(log_user, line);
            }
            continue;
        }
        if (is_seen(seen, i)) {
            return status_fail(err, GPT2C_E_FORMAT, "%s: %s stands there twice", path,
                               settings[i].name);
        }
        seen[i] = true;
        const gpt2c_status code = read_setting(v, &settings[i], item, path, err);
        if (code) {
            return code;
        }
    }
    return GPT2C_OK;
}

static gpt2c_status check(struct config *out, const struct values *v, const char *path,
                          gpt2c_log_fn log, void *log_user, gpt2c_error *err)
{
    const struct {
        const char *name;
        bool found, wanted;
    } fixed[] = {
        {"scale_attn_weights", v->scale_attn, true},
        {"scale_attn_by_inverse_layer_idx", v->scale_by_layer, false},
        {"add_cross_attention", v->cross_attention, false},
        {"is_encoder_decoder", v->encoder_decoder, false},
    };
    for (size_t i = 0; i < N(fixed); i++) {
        if (fixed[i].found != fixed[i].wanted) {
            return status_fail(err, GPT2C_E_UNSUPPORTED, "%s: %s: expected %s, found %s", path,
                               fixed[i].name, fixed[i].wanted ? "true" : "false",
                               fixed[i].found ? "true" : "false");
        }
    }
    if (v->n_embd % v->n_head != 0) {
        return status_fail(err, GPT2C_E_FORMAT, "%s: n_head %d does not divide n_embd %d", path,
                           v->n_head, v->n_embd);
    }
    if (v->n_positions > 0 && v->n_ctx > 0 && v->n_ctx != v->n_positions && log) {
        char line[200];
        snprintf(line, sizeof line, "%.100s: n_ctx %d differs from n_positions %d, which counts",
                 path, v->n_ctx, v->n_positions);
        log(log_user, line);
    }
    out->tie_word_embeddings = v->tie;
    out->hp = (gpt2c_hparams){
        .n_layer = v->n_layer,
        .n_head = v->n_head,
        .n_embd = v->n_embd,
        .n_ctx = v->n_positions > 0 ? v->n_positions
                 : v->n_ctx > 0     ? v->n_ctx
                                    : 1024,
        .n_vocab = v->n_vocab,
        .n_ff = v->n_inner > 0 ? v->n_inner : 4 * v->n_embd,
        .layer_norm_epsilon = v->layer_norm_epsilon,
        /* small test models keep the ids of the large vocabulary: ids that can never occur */
        .bos = v->bos < v->n_vocab ? v->bos : -1,
        .eos = v->eos < v->n_vocab ? v->eos : -1,
    };
    return GPT2C_OK;
}

gpt2c_status config_read(struct config *out, const char *path, const unsigned char *text,
                         size_t n_bytes, gpt2c_log_fn log, void *log_user, gpt2c_error *err)
{
    const struct json_limits limits = {.max_values = MAX_JSON_VALUES};
    struct values v = {.n_layer = 12,
                       .n_head = 12,
                       .n_embd = 768,
                       .n_positions = -1,
                       .n_ctx = -1,
                       .n_vocab = 50257,
                       .n_inner = -1,
                       .bos = 50256,
                       .eos = 50256,
                       .layer_norm_epsilon = 1e-5f,
                       .tie = true,
                       .scale_attn = true};
    cJSON *root = NULL;
    gpt2c_status code = json_parse(&root, path, text, n_bytes, &limits, err);
    if (!code) {
        code = read_all(&v, root, path, log, log_user, err);
    }
    cJSON_Delete(root);
    return code ? code : check(out, &v, path, log, log_user, err);
}
