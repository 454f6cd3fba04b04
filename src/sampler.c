/* From logits to a token: the processors of Hugging Face generate(), in float32 and with its tie
 * rules, and the draw. Nothing here allocates after the sampler is made. The vocabulary is scanned,
 * never sorted as a whole when top-k is on. */
#include "gpt2c/gpt2c.h"
#include "status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct cand { /* a token that may still be drawn */
    float logit;
    float key; /* what it is sorted by, or its probability */
    int32_t id;
};

struct gpt2c_sampler {
    int32_t n_vocab;
    gpt2c_sample_params params;
    gpt2c_logit_bias *bias; /* [n_bias], each token once */
    struct cand *cand;      /* [n_vocab]                 */
    struct cand *spare;     /* [n_vocab], for sorting    */
    double *sum;            /* [n_vocab], cumulative probability of the candidates */
    bool *seen;             /* [n_vocab], all false between calls */
};

/* ---- life ------------------------------------------------------------------------------------ */

gpt2c_sample_params gpt2c_sample_default_params(void)
{
    return (gpt2c_sample_params){
        .repetition_penalty = 1, .eos = -1, .temperature = 1, .top_p = 1, .typical_p = 1};
}

static gpt2c_status check_token(gpt2c_token token, int32_t n_vocab, const char *what,
                                gpt2c_error *err)
{
    if (token < 0 || token >= n_vocab) {
        return status_fail(err, GPT2C_E_ARG, "%s: token %d is out of range 0 to %d", what, token,
                           n_vocab - 1);
    }
    return GPT2C_OK;
}

static gpt2c_status check_params(const gpt2c_sample_params *p, int32_t n_vocab, gpt2c_error *err)
{
    if (n_vocab < 1 || p->n_bias < 0 || p->n_bad_words < 0 || p->no_repeat_ngram_size < 0 ||
        p->min_new_tokens < 0 || p->top_k < 0) {
        return status_fail(err, GPT2C_E_ARG, "a size of the sampling parameters is negative");
    }
    if (!(p->repetition_penalty > 0) || !isfinite(p->repetition_penalty)) {
        return status_fail(err, GPT2C_E_ARG, "the repetition penalty is %g, must be above 0",
                           p->repetition_penalty);
    }
    if (!(p->temperature >= 0) || !isfinite(p->temperature)) {
        return status_fail(err, GPT2C_E_ARG, "the temperature is %g, must be 0 or more",
                           p->temperature);
    }
    if (!(p->top_p >= 0 && p->top_p <= 1)) {
        return status_fail(err, GPT2C_E_ARG, "top-p is %g, must be from 0 to 1", p->top_p);
    }
    if (!(p->min_p >= 0 && p->min_p <= 1)) {
        return status_fail(err, GPT2C_E_ARG, "min-p is %g, must be from 0 to 1", p->min_p);
    }
    if (!(p->typical_p > 0 && p->typical_p <= 1)) {
        return status_fail(err, GPT2C_E_ARG, "typical-p is %g, must be above 0 and at most 1",
                           p->typical_p);
    }
    gpt2c_status st = GPT2C_OK;
    for (int32_t i = 0; !st && i < p->n_bias; i++) {
        st = check_token(p->bias[i].token, n_vocab, "logit bias", err);
        if (!st && isnan(p->bias[i].bias)) {
            st = status_fail(err, GPT2C_E_ARG, "logit bias: not a number");
        }
    }
    for (int32_t i = 0; !st && i < p->n_bad_words; i++) {
        const gpt2c_token_list *word = &p->bad_words[i];
        if (word->n_tok < 1) {
            return status_fail(err, GPT2C_E_ARG, "bad word %d is empty", i);
        }
        for (int32_t j = 0; !st && j < word->n_tok; j++) {
            st = check_token(word->tok[j], n_vocab, "bad words", err);
        }
    }
    return st;
}

/* Copies the biases, from the last to the first, each token once. */
static void copy_bias(gpt2c_sampler *s, const gpt2c_sample_params *p)
{
    s->params.n_bias = 0;
    for (int32_t i = p->n_bias - 1; i >= 0; i--) {
        if (!s->seen[p->bias[i].token]) {
            s->seen[p->bias[i].token] = true;
            s->bias[s->params.n_bias++] = p->bias[i];
        }
    }
    for (int32_t i = 0; i < s->params.n_bias; i++) {
        s->seen[s->bias[i].token] = false;
    }
}

gpt2c_status gpt2c_sampler_create(gpt2c_sampler **out, int32_t n_vocab,
                                  const gpt2c_sample_params *params, gpt2c_error *err)
{
    const gpt2c_sample_params p = params ? *params : gpt2c_sample_default_params();
    *out = NULL;
    const gpt2c_status st = check_params(&p, n_vocab, err);
    if (st) {
        return st;
    }
    gpt2c_sampler *s = calloc(1, sizeof *s);
    if (s) {
        s->n_vocab = n_vocab;
        s->params = p;
        s->bias = calloc((size_t)p.n_bias + 1, sizeof *s->bias);
        s->cand = calloc((size_t)n_vocab, sizeof *s->cand);
        s->spare = calloc((size_t)n_vocab, sizeof *s->spare);
        s->sum = calloc((size_t)n_vocab, sizeof *s->sum);
        s->seen = calloc((size_t)n_vocab, sizeof *s->seen);
    }
    if (!s || !s->bias || !s->cand || !s->spare || !s->sum || !s->seen) {
        gpt2c_sampler_free(&s);
        return status_fail(err, GPT2C_E_NOMEM, "no memory for a sampler of %d tokens", n_vocab);
    }
    copy_bias(s, &p);
    *out = s;
    return GPT2C_OK;
}

void gpt2c_sampler_free(gpt2c_sampler **sampler)
{
    gpt2c_sampler *s = *sampler;
    if (s) {
        free(s->bias);
        free(s->cand);
        free(s->spare);
        free(s->sum);
        free(s->seen);
        free(s);
    }
    *sampler = NULL;
}

/* ---- processors that look at the history ----------------------------------------------------- */

static void add_bias(const gpt2c_sampler *s, float *logits)
{
    for (int32_t i = 0; i < s->params.n_bias; i++) {
        logits[s->bias[i].token] += s->bias[i].bias;
    }
}

static void penalize_repetition(gpt2c_sampler *s, float *logits, const gpt2c_token *history,
                                size_t n_history)
{
    const float penalty = (float)s->params.repetition_penalty;
    for (size_t i = 0; i < n_history; i++) {
        float *x = &logits[history[i]];
        if (!s->seen[history[i]]) {
            s->seen[history[i]] = true;
            *x = *x < 0 ? *x * penalty : *x / penalty;
        }
    }
    for (size_t i = 0; i < n_history; i++) {
        s->seen[history[i]] = false;
    }
}

/* Forbids what would complete an n-gram that the history has already. */
static void forbid_ngrams(const gpt2c_sampler *s, float *logits, const gpt2c_token *history,
                          size_t n_history)
{
    const size_t n = (size_t)s->params.no_repeat_ngram_size;
    if (n_history < n) {
        return; /* no n-gram yet */
    }
    const gpt2c_token *suffix = history + n_history + 1 - n; /* [n - 1] */
    for (size_t i = 0; i + n <= n_history; i++) {
        if (memcmp(history + i, suffix, (n - 1) * sizeof *suffix) == 0) {
            logits[history[i + n - 1]] = -INFINITY;
        }
    }
}

/* Forbids the last token of each bad word whose other tokens end the history. */
static void forbid_words(const gpt2c_sampler *s, float *logits, const gpt2c_token *history,
                         size_t n_history)
{
    for (int32_t i = 0; i < s->params.n_bad_words; i++) {
        const gpt2c_token_list *word = &s->params.bad_words[i];
        const size_t n_before = (size_t)word->n_tok - 1;
        const gpt2c_token last = word->tok[n_before];
        if ((n_before == 0 && last == s->params.eos) || n_before > n_history) {
            continue;
        }
        if (n_before == 0 || memcmp(history + (n_history - n_before), word->tok,
                                    n_before * sizeof *history) == 0) {
            logits[last] = -INFINITY;
        }
    }
}

/* ---- processors that look at the distribution ------------------------------------------------ */

static uint32_t bits_of(float x)
{
    uint32_t u = 0;
    memcpy(&u, &x, sizeof u);
    return u;
}

/* Unsigned order equals the order of floats; -0 and 0 are one value. */
static uint32_t order_of(float x)
{
    const uint32_t u = bits_of(x + 0.0f);
    return u & 0x80000000u ? ~u : u | 0x80000000u;
}

/* Ascending by key, stable: a radix sort of four bytes. */
static void sort_by_key(gpt2c_sampler *s, int32_t n)
{
    for (int shift = 0; shift < 32; shift += 8) {
        int32_t at[257] = {0};
        for (int32_t i = 0; i < n; i++) {
            at[1 + ((order_of(s->cand[i].key) >> shift) & 255)]++;
        }
        for (int b = 0; b < 256; b++) {
            at[b + 1] += at[b];
        }
        for (int32_t i = 0; i < n; i++) {
            s->spare[at[(order_of(s->cand[i].key) >> shift) & 255]++] = s->cand[i];
        }
        struct cand *swap = s->cand;
        s->cand = s->spare;
        s->spare = swap;
    }
}

static void sort_by_logit(gpt2c_sampler *s, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        s->cand[i].key = s->cand[i].logit;
    }
    sort_by_key(s, n);
}

#define N_BINS 2048

/* The bin of a logit by its distance from the largest: exponent and three bits of the mantissa,
 * narrow where the likely tokens are. */
static uint32_t bin_of(float max, float x)
{
    return bits_of(max - x) >> 20;
}

/* The number of bins from the largest logit down that hold k tokens or more. */
static uint32_t bins_of_top(const float *logits, int32_t n_vocab, float max, int32_t k)
{
    int32_t count[N_BINS] = {0};
    for (int32_t i = 0; i < n_vocab; i++) {
        count[bin_of(max, logits[i])]++;
    }
    uint32_t n_bins = 0;
    for (int32_t n = 0; n < k && n_bins < N_BINS; n_bins++) {
        n += count[n_bins];
    }
    return n_bins;
}

/* Keeps the top_k largest and those equal to the last of them, ascending by logit, in s->cand;
 * returns how many. */
static int32_t take_top_k(gpt2c_sampler *s, const float *logits, float max)
{
    const int32_t k = s->params.top_k;
    const uint32_t n_bins = bins_of_top(logits, s->n_vocab, max, k);
    int32_t n = 0;
    for (int32_t i = 0; i < s->n_vocab; i++) {
        if (bin_of(max, logits[i]) < n_bins && logits[i] > -INFINITY) {
            s->cand[n++] = (struct cand){.logit = logits[i], .id = i};
        }
    }
    sort_by_logit(s, n);
    int32_t first = n > k ? n - k : 0;
    while (first > 0 && s->cand[first - 1].logit == s->cand[first].logit) {
        first--;
    }
    memmove(s->cand, s->cand + first, (size_t)(n - first) * sizeof *s->cand);
    return n - first;
}

static int32_t take_all(gpt2c_sampler *s, const float *logits)
{
    int32_t n = 0;
    for (int32_t i = 0; i < s->n_vocab; i++) {
        if (logits[i] > -INFINITY) {
            s->cand[n++] = (struct cand){.logit = logits[i], .id = i};
        }
    }
    return n;
}

/* key = softmax of the logits of the candidates. */
static void softmax(struct cand *c, int32_t n, float max)
{
    double sum = 0;
    for (int32_t i = 0; i < n; i++) {
        c[i].key = expf(c[i].logit - max);
        sum += (double)c[i].key;
    }
    for (int32_t i = 0; i < n; i++) {
        c[i].key /= (float)sum;
    }
}

/* Drops the smallest as long as they sum to 1 - top_p or less. Candidates ascend by logit. */
static int32_t keep_top_p(gpt2c_sampler *s, int32_t n, float max)
{
    const float limit = (float)(1.0 - s->params.top_p);
    double sum = 0;
    int32_t first = 0;
    softmax(s->cand, n, max);
    for (; first < n - 1; first++) {
        sum += (double)s->cand[first].key;
        if ((float)sum > limit) {
            break;
        }
    }
    memmove(s->cand, s->cand + first, (size_t)(n - first) * sizeof *s->cand);
    return n - first;
}

static int32_t keep_min_p(gpt2c_sampler *s, int32_t n, float max)
{
    float largest = 0;
    int32_t n_kept = 0;
    softmax(s->cand, n, max);
    for (int32_t i = 0; i < n; i++) {
        largest = fmaxf(largest, s->cand[i].key);
    }
    const float limit = (float)s->params.min_p * largest;
    for (int32_t i = 0; i < n; i++) {
        if (!(s->cand[i].key < limit)) {
            s->cand[n_kept++] = s->cand[i];
        }
    }
    return n_kept;
}

/* Keeps the tokens whose surprise is nearest to the entropy, until they sum to typical_p. */
static int32_t keep_typical(gpt2c_sampler *s, int32_t n, float max)
{
    double sum = 0;
    double entropy = 0;
    for (int32_t i = 0; i < n; i++) {
        sum += (double)expf(s->cand[i].logit - max);
    }
    const float log_sum = logf((float)sum);
    for (int32_t i = 0; i < n; i++) {
        const float log_p = s->cand[i].logit - max - log_sum;
        s->cand[i].key = log_p;
        entropy -= (double)(log_p * expf(log_p));
    }
    for (int32_t i = 0; i < n; i++) {
        s->cand[i].key = fabsf(-s->cand[i].key - (float)entropy);
    }
    sort_by_key(s, n);
    double mass = 0;
    int32_t last = 0;
    for (; last < n - 1; last++) {
        mass += (double)(expf(s->cand[last].logit - max) / (float)sum);
        if (!((float)mass < (float)s->params.typical_p)) {
            break;
        }
    }
    int32_t n_kept = last + 1;
    while (n_kept < n && s->cand[n_kept].key == s->cand[last].key) {
        n_kept++; /* as near as the last one */
    }
    return n_kept;
}

static gpt2c_status find_max(const gpt2c_sampler *s, const float *logits, float *max,
                             gpt2c_error *err)
{
    *max = -INFINITY;
    bool finite = true;
    for (int32_t i = 0; i < s->n_vocab; i++) {
        *max = logits[i] > *max ? logits[i] : *max;
        finite &= logits[i] < INFINITY;
    }
    if (!finite) {
        return status_fail(err, GPT2C_E_NUMERIC, "the logits hold NaN or infinity");
    }
    if (*max == -INFINITY) {
        return status_fail(err, GPT2C_E_ARG, "the sampling options forbid every token");
    }
    return GPT2C_OK;
}

/* Temperature and what follows it. */
static gpt2c_status warp(gpt2c_sampler *s, float *logits, gpt2c_error *err)
{
    const gpt2c_sample_params *p = &s->params;
    if (p->temperature != 1) {
        for (int32_t i = 0; i < s->n_vocab; i++) {
            logits[i] /= (float)p->temperature;
        }
    }
    float max = 0;
    const gpt2c_status st = find_max(s, logits, &max, err);
    const bool by_k = p->top_k > 0 && p->top_k < s->n_vocab;
    if (st || !(by_k || p->top_p < 1 || p->min_p > 0 || p->typical_p < 1)) {
        return st;
    }
    int32_t n = by_k ? take_top_k(s, logits, max) : take_all(s, logits);
    if (p->top_p < 1) {
        if (!by_k) {
            sort_by_logit(s, n);
        }
        n = keep_top_p(s, n, max);
    }
    if (p->min_p > 0) {
        n = keep_min_p(s, n, max);
    }
    if (p->typical_p < 1) {
        n = keep_typical(s, n, max);
    }
    for (int32_t i = 0; i < s->n_vocab; i++) {
        logits[i] = -INFINITY;
    }
    for (int32_t i = 0; i < n; i++) {
        logits[s->cand[i].id] = s->cand[i].logit;
    }
    return GPT2C_OK;
}

gpt2c_status gpt2c_sampler_process(gpt2c_sampler *sampler, float *logits,
                                   const gpt2c_token *history, size_t n_history, size_t n_prompt,
                                   gpt2c_error *err)
{
    const gpt2c_sample_params *p = &sampler->params;
    for (size_t i = 0; i < n_history; i++) {
        const gpt2c_status st = check_token(history[i], sampler->n_vocab, "history", err);
        if (st) {
            return st;
        }
    }
    if (n_prompt > n_history) {
        return status_fail(err, GPT2C_E_ARG, "a prompt of %zu tokens in a history of %zu", n_prompt,
                           n_history);
    }
    add_bias(sampler, logits);
    if (p->repetition_penalty != 1) {
        penalize_repetition(sampler, logits, history, n_history);
    }
    if (p->no_repeat_ngram_size > 0) {
        forbid_ngrams(sampler, logits, history, n_history);
    }
    forbid_words(sampler, logits, history, n_history);
    if (p->eos >= 0 && p->eos < sampler->n_vocab &&
        n_history - n_prompt < (size_t)p->min_new_tokens) {
        logits[p->eos] = -INFINITY;
    }
    return p->temperature == 0 ? GPT2C_OK : warp(sampler, logits, err);
}

/* ---- the draw -------------------------------------------------------------------------------- */

/* splitmix64 (Steele, Lea and Flood 2014): every state is a good one. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t gpt2c_sampler_rng(uint64_t seed, uint64_t stream)
{
    uint64_t state = seed;
    state = next_random(&state) + stream;
    return next_random(&state);
}

static gpt2c_token largest(const float *logits, int32_t n_vocab)
{
    gpt2c_token best = 0;
    for (int32_t i = 1; i < n_vocab; i++) {
        best = logits[i] > logits[best] ? i : best;
    }
    return best;
}

gpt2c_status gpt2c_sampler_draw(gpt2c_sampler *sampler, const float *logits, uint64_t *rng,
                                gpt2c_token *out, gpt2c_error *err)
{
    const gpt2c_sampler *s = sampler;
    float max = 0;
    const gpt2c_status st = find_max(s, logits, &max, err);
    if (st) {
        return st;
    }
    if (s->params.temperature == 0) {
        *out = largest(logits, s->n_vocab);
        return GPT2C_OK;
    }
    /* The inverse of the cumulative distribution, unnormalized: the first token whose sum exceeds
     * the drawn share of the total. Sums are kept, so that each exponential is taken once. */
    double total = 0;
    int32_t n = 0;
    for (int32_t i = 0; i < s->n_vocab; i++) {
        if (logits[i] > -INFINITY) {
            total += exp((double)logits[i] - (double)max);
            s->sum[n] = total;
            s->cand[n++].id = i;
        }
    }
    const double uniform = (double)(next_random(rng) >> 11) * 0x1p-53; /* [0, 1) */
    const double share = uniform * total;
    int32_t i = 0;
    while (i < n - 1 && s->sum[i] <= share) {
        i++;
    }
    *out = s->cand[i].id;
    return GPT2C_OK;
}
