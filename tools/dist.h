/* The distribution that a row of logits stands for: log-probabilities, ranks, the likeliest. */
#ifndef DIST_H
#define DIST_H

#include "gpt2c/gpt2c.h"

struct dist {
    const float *logits; /* [n_vocab], borrowed */
    int32_t n_vocab;
    double log_sum; /* log of the sum of the exponentials of the logits */
};

struct dist dist_of(const float *logits, int32_t n_vocab);
double dist_log_p(const struct dist *d, gpt2c_token token);
/* 1 for the likeliest; of equals the lower id comes first. */
int32_t dist_rank(const struct dist *d, gpt2c_token token);
/* The k likeliest, in that order, into out [k]; k at most n_vocab. */
void dist_top(const struct dist *d, int32_t k, gpt2c_token *out);

#endif
