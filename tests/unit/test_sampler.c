/* The sampler against Hugging Face's processors on fixed logits, its draws against their
 * probabilities, and what it refuses. */
#include "check.h"
#include "gpt2c/gpt2c.h"

#include <stdlib.h>

struct kept { /* a token that survives, with its processed logit */
    gpt2c_token token;
    float logit;
};

struct golden {
    const char *name;
    int32_t n_vocab;
    double step;
    const gpt2c_token *history;
    size_t n_history, n_prompt;
    const struct kept *kept;
    size_t n_kept;
    gpt2c_sample_params params;
};

#include "sampler_golden.h"

/* The logits of make_sampler_golden.py. */
static void fill_logits(float *logits, int32_t n_vocab, double step)
{
    for (int32_t i = 0; i < n_vocab; i++) {
        const uint32_t u = (uint32_t)((uint64_t)i * 2654435761u + 12345u);
        const double v = (double)u / 4294967296.0;
        logits[i] = (float)(rint((v * v * 32 - 16) / step) * step);
    }
}

static gpt2c_sampler *new_sampler(int32_t n_vocab, const gpt2c_sample_params *params)
{
    gpt2c_error err = {0};
    gpt2c_sampler *s = NULL;
    CHECK_INT(gpt2c_sampler_create(&s, n_vocab, params, &err), GPT2C_OK);
    CHECK_STR(err.msg, "");
    return s;
}

static void processors_equal_hugging_face(const struct golden *g)
{
    float *logits = calloc((size_t)g->n_vocab, sizeof *logits);
    gpt2c_sampler *s = new_sampler(g->n_vocab, &g->params);
    for (int round = 0; round < 2; round++) { /* twice: the scratch must be clean again */
        fill_logits(logits, g->n_vocab, g->step);
        CHECK_INT(gpt2c_sampler_process(s, logits, g->history, g->n_history, g->n_prompt, NULL),
                  GPT2C_OK);
        size_t n_kept = 0;
        int n_wrong = 0;
        for (int32_t i = 0; i < g->n_vocab; i++) {
            if (logits[i] > -INFINITY) {
                const struct kept *k = n_kept < g->n_kept ? &g->kept[n_kept] : NULL;
                if ((!k || k->token != i || k->logit != logits[i]) && n_wrong++ < 3) {
                    fprintf(stderr, "%s: token %d has %a, expected token %d with %a\n", g->name, i,
                            (double)logits[i], k ? k->token : -1, k ? (double)k->logit : 0.0);
                }
                n_kept++;
            }
        }
        const bool all_there = CHECK_INT(n_kept, (intmax_t)g->n_kept);
        if (!CHECK_INT(n_wrong, 0) || !all_there) {
            fprintf(stderr, "in case %s\n", g->name);
        }
    }
    gpt2c_sampler_free(&s);
    free(logits);
}

static void ties_at_the_edge_of_top_p_keep_the_higher_ids(void)
{
    gpt2c_sample_params p = gpt2c_sample_default_params();
    p.top_p = 0.45;
    gpt2c_sampler *s = new_sampler(4, &p);
    float logits[4] = {1, 1, 1, 1};
    CHECK_INT(gpt2c_sampler_process(s, logits, NULL, 0, 0, NULL), GPT2C_OK);
    CHECK(logits[0] == -INFINITY && logits[1] == -INFINITY);
    CHECK(logits[2] == 1 && logits[3] == 1);
    gpt2c_sampler_free(&s);
}

static void last_bias_of_a_token_counts(void)
{
    const gpt2c_logit_bias bias[] = {{1, 5}, {2, 1}, {1, -2}};
    gpt2c_sample_params p = gpt2c_sample_default_params();
    p.bias = bias;
    p.n_bias = 3;
    gpt2c_sampler *s = new_sampler(3, &p);
    float logits[3] = {0, 0, 0};
    CHECK_INT(gpt2c_sampler_process(s, logits, NULL, 0, 0, NULL), GPT2C_OK);
    CHECK(logits[0] == 0 && logits[1] == -2 && logits[2] == 1);
    gpt2c_sampler_free(&s);
}

static void end_of_text_is_no_bad_word(void)
{
    const gpt2c_token eos[] = {2};
    const gpt2c_token_list word = {eos, 1};
    gpt2c_sample_params p = gpt2c_sample_default_params();
    p.bad_words = &word;
    p.n_bad_words = 1;
    for (p.eos = -1; p.eos <= 2; p.eos += 3) {
        gpt2c_sampler *s = new_sampler(3, &p);
        float logits[3] = {0, 0, 0};
        CHECK_INT(gpt2c_sampler_process(s, logits, NULL, 0, 0, NULL), GPT2C_OK);
        CHECK_NEAR(logits[2], p.eos == 2 ? 0 : -INFINITY, 0);
        gpt2c_sampler_free(&s);
    }
}

static void greedy_takes_the_lowest_id_of_equals(void)
{
    gpt2c_sample_params p = gpt2c_sample_default_params();
    p.temperature = 0;
    gpt2c_sampler *s = new_sampler(5, &p);
    const float logits[5] = {-1, 3, 2, 3, 3};
    uint64_t rng = 1;
    gpt2c_token token = -1;
    CHECK_INT(gpt2c_sampler_draw(s, logits, &rng, &token, NULL), GPT2C_OK);
    CHECK_INT(token, 1);
    gpt2c_sampler_free(&s);
}

/* Pearson's statistic of many draws stays under its 99.99% quantile; the seeds are fixed. */
static void draws_follow_the_probabilities(void)
{
    enum { N = 12, N_DRAWS = 200000 };
    const double quantile = 37.37; /* chi-squared, 11 degrees of freedom */
    gpt2c_sampler *s = new_sampler(N, NULL);
    float logits[N];
    double p[N];
    double total = 0;
    for (int i = 0; i < N; i++) {
        logits[i] = (float)(i % 5) * 0.7f - 1.5f;
        p[i] = exp((double)logits[i]);
        total += p[i];
    }
    for (uint64_t seed = 0; seed < 5; seed++) {
        int count[N] = {0};
        for (int k = 0; k < N_DRAWS; k++) {
            /* Half of them in one stream, half the first draw of each stream. */
            static uint64_t rng;
            uint64_t first = gpt2c_sampler_rng(seed, (uint64_t)k);
            rng = k == 0 ? first : rng;
            gpt2c_token token = 0;
            gpt2c_sampler_draw(s, logits, k % 2 ? &rng : &first, &token, NULL);
            count[token]++;
        }
        double chi2 = 0;
        for (int i = 0; i < N; i++) {
            const double expected = N_DRAWS * p[i] / total;
            chi2 += (count[i] - expected) * (count[i] - expected) / expected;
        }
        if (!CHECK(chi2 < quantile)) {
            fprintf(stderr, "seed %d: chi-squared %g\n", (int)seed, chi2);
        }
    }
    gpt2c_sampler_free(&s);
}

static void draws_never_take_a_forbidden_token(void)
{
    gpt2c_sampler *s = new_sampler(6, NULL);
    const float logits[6] = {-INFINITY, -80, -INFINITY, 0, -INFINITY, -INFINITY};
    uint64_t rng = 7;
    for (int k = 0; k < 10000; k++) {
        gpt2c_token token = -1;
        gpt2c_sampler_draw(s, logits, &rng, &token, NULL);
        CHECK(token == 1 || token == 3);
    }
    gpt2c_sampler_free(&s);
}

static void same_state_same_draw(void)
{
    gpt2c_sampler *s = new_sampler(3, NULL);
    const float logits[3] = {0, 0.5f, 0.25f};
    uint64_t a = gpt2c_sampler_rng(42, 0);
    uint64_t b = gpt2c_sampler_rng(42, 0);
    CHECK(gpt2c_sampler_rng(42, 1) != a);
    CHECK(gpt2c_sampler_rng(43, 0) != a);
    for (int k = 0; k < 100; k++) {
        gpt2c_token x = -1;
        gpt2c_token y = -2;
        gpt2c_sampler_draw(s, logits, &a, &x, NULL);
        gpt2c_sampler_draw(s, logits, &b, &y, NULL);
        CHECK_INT(x, y);
        CHECK(a == b);
    }
    gpt2c_sampler_free(&s);
}

static void numbers_that_are_none_rejected(void)
{
    gpt2c_error err;
    gpt2c_token token = 0;
    uint64_t rng = 0;
    gpt2c_sampler *s = new_sampler(3, NULL);
    float nan[3] = {0, NAN, 1};
    const float inf[3] = {0, INFINITY, 1};
    const float none[3] = {-INFINITY, -INFINITY, -INFINITY};
    const gpt2c_token wrong[1] = {3};
    CHECK_INT(gpt2c_sampler_draw(s, nan, &rng, &token, &err), GPT2C_E_NUMERIC);
    CHECK_INT(gpt2c_sampler_draw(s, inf, &rng, &token, &err), GPT2C_E_NUMERIC);
    CHECK_INT(gpt2c_sampler_draw(s, none, &rng, &token, &err), GPT2C_E_ARG);
    CHECK_INT(gpt2c_sampler_process(s, nan, NULL, 0, 0, &err), GPT2C_E_NUMERIC);
    float logits[3] = {0, 1, 2};
    CHECK_INT(gpt2c_sampler_process(s, logits, wrong, 1, 0, &err), GPT2C_E_ARG);
    CHECK_HAS(err.msg, "3");
    CHECK_INT(gpt2c_sampler_process(s, logits, NULL, 0, 1, &err), GPT2C_E_ARG);
    gpt2c_sampler_free(&s);
    CHECK(!s);
    gpt2c_sampler_free(&s);
}

static void expect_refusal(gpt2c_sample_params p, const char *part)
{
    gpt2c_error err = {0};
    gpt2c_sampler *s = NULL;
    CHECK_INT(gpt2c_sampler_create(&s, 10, &p, &err), GPT2C_E_ARG);
    CHECK(!s);
    CHECK_HAS(err.msg, part);
}

static void parameters_out_of_range_rejected(void)
{
    const gpt2c_sample_params d = gpt2c_sample_default_params();
    const gpt2c_logit_bias bias = {10, 1};
    const gpt2c_token_list empty = {NULL, 0};
    gpt2c_sample_params p = d;
    p.temperature = -0.1;
    expect_refusal(p, "temperature");
    p.temperature = NAN;
    expect_refusal(p, "temperature");
    p = d;
    p.repetition_penalty = 0;
    expect_refusal(p, "repetition");
    p = d;
    p.top_p = 1.5;
    expect_refusal(p, "top-p");
    p = d;
    p.min_p = -1;
    expect_refusal(p, "min-p");
    p = d;
    p.typical_p = 0;
    expect_refusal(p, "typical-p");
    p = d;
    p.top_k = -1;
    expect_refusal(p, "negative");
    p = d;
    p.bias = &bias;
    p.n_bias = 1;
    expect_refusal(p, "10");
    p = d;
    p.bad_words = &empty;
    p.n_bad_words = 1;
    expect_refusal(p, "empty");
}

int main(void)
{
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
        processors_equal_hugging_face(&goldens[i]);
    }
    ties_at_the_edge_of_top_p_keep_the_higher_ids();
    last_bias_of_a_token_counts();
    end_of_text_is_no_bad_word();
    greedy_takes_the_lowest_id_of_equals();
    draws_follow_the_probabilities();
    draws_never_take_a_forbidden_token();
    same_state_same_draw();
    numbers_that_are_none_rejected();
    parameters_out_of_range_rejected();
    return check_result();
}
