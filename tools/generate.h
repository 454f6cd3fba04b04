/* Generation: samples that share one session and one pass over the weights per step. A sample's
 * text depends on its prompt, the seed and its stream alone, not on its company. */
#ifndef GENERATE_H
#define GENERATE_H

#include "cli.h"
#include "textstream.h"

enum gen_overflow { GEN_STOP, GEN_ERROR, GEN_SLIDE };

enum gen_finish { GEN_RUNNING, GEN_LENGTH, GEN_STOPPED, GEN_EOS, GEN_CONTEXT, GEN_TIME };

extern const char *const gen_finish_names[]; /* by gen_finish, as the JSON has them */

struct gen_params {
    gpt2c_sample_params sample; /* eos is filled in by generate_open */
    int32_t n_new;
    struct cli_strings stops;
    bool ignore_eos;
    double max_time; /* seconds; 0: no limit */
    int overflow;    /* enum gen_overflow */
    bool speculate;
    int32_t n_logprobs; /* alternatives of each token; -1: no log-probabilities */
    bool color;         /* marks of the text are colors of probabilities */
    int64_t seed;
};

/* Gets text as it is made; an exit code other than 0 ends the run. */
typedef int (*gen_stream_fn)(void *user, const char *text, size_t n_bytes, int mark);

struct gen_sample {
    const gpt2c_token
        *prompt; /* [n_prompt], borrowed; samples that share it share its evaluation */
    size_t n_prompt;
    uint64_t stream;         /* of random numbers */
    gen_stream_fn stream_fn; /* NULL ok */
    void *stream_user;
    /* results */
    gpt2c_token *tok; /* [n_tok] the prompt and what was made; heap */
    size_t n_tok;
    enum gen_finish finish;
    struct cli_bytes text; /* what was made, UTF-8 */
    double *log_p;         /* [n_tok - n_prompt] */
    gpt2c_token *top;      /* [n_tok - n_prompt][n_logprobs] */
    double *top_log_p;     /* [n_tok - n_prompt][n_logprobs] */
    /* state */
    uint64_t rng;
    size_t n_dropped; /* tokens at the front that slid out of the context */
    struct textstream out;
    int stream_code; /* what stream_fn said */
};

struct generator {
    gpt2c_model *model;
    gpt2c_tokenizer *tokenizer;
    gpt2c_session *session;
    gpt2c_sampler *sampler;
    struct gen_params params;
    gpt2c_token eos;
    int32_t n_ctx, n_seq, n_vocab;
    float *first_logits;             /* [n_vocab] after first_prompt */
    float *work;                     /* [n_vocab] a copy to process */
    float *plain;                    /* [n_vocab] logits before the processors */
    const gpt2c_token *first_prompt; /* whose logits these are */
    struct gen_slot *slots;          /* [n_seq] */
    double begin;                    /* of the run */
    double load_s, prefill_s, decode_s;
    size_t n_prefilled, n_decoded; /* tokens */
};


/* Makes the session and the sampler for prompts of up to `longest` tokens and n_samples samples.
 * g->model, tokenizer and params are set. Returns an exit code. */
int generate_open(struct generator *g, const struct cli_common *common, size_t longest,
                  size_t n_samples);
/* Runs all samples; `done` is called as each ends, in any order; when it returns non-zero the run
 * ends with that code. Returns an exit code, EXIT_INTERRUPTED without a message. */
int generate_run(struct generator *g, struct gen_sample *samples, size_t n_samples,
                 int (*done)(void *user, struct gen_sample *sample), void *user);
void generate_close(struct generator *g); /* the model and the tokenizer too */
void generate_sample_free(struct gen_sample *sample);

#endif
