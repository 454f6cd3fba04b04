/* The distribution that a row of logits stands for. Sums are doubles: of 50,257 terms a float sum
 * would show in the digits that we print. */
#include "dist.h"

#include <math.h>

struct dist dist_of(const float *logits, int32_t n_vocab)
{
    float max = logits[0];
    double sum = 0;
    for (int32_t i = 1; i < n_vocab; i++) {
        max = logits[i] > max ? logits[i] : max;
    }
    for (int32_t i = 0; i < n_vocab; i++) {
        sum += exp((double)logits[i] - (double)max);
    }
    return (struct dist){logits, n_vocab, (double)max + log(sum)};
}

double dist_log_p(const struct dist *d, gpt2c_token token)
{
    return (double)d->logits[token] - d->log_sum;
}

static bool before(const struct dist *d, gpt2c_token a, gpt2c_token b)
{
    return d->logits[a] > d->logits[b] || (d->logits[a] == d->logits[b] && a < b);
}

int32_t dist_rank(const struct dist *d, gpt2c_token token)
{
    int32_t rank = 1;
    for (int32_t i = 0; i < d->n_vocab; i++) {
        rank += before(d, i, token);
    }
    return rank;
}

/* heap[0] is the last in order of heap [n]; moves the entry at i down to its place. */
static void sift_down(const struct dist *d, gpt2c_token *heap, int32_t n, int32_t i)
{
    for (;;) {
        int32_t last = i;
        for (int32_t child = 2 * i + 1; child <= 2 * i + 2 && child < n; child++) {
            last = before(d, heap[last], heap[child]) ? child : last;
        }
        if (last == i) {
            return;
        }
        const gpt2c_token swap = heap[i];
        heap[i] = heap[last];
        heap[last] = swap;
        i = last;
    }
}

void dist_top(const struct dist *d, int32_t k, gpt2c_token *out)
{
    for (int32_t i = 0; i < k; i++) {
        out[i] = i;
    }
    for (int32_t i = k / 2 - 1; i >= 0; i--) {
        sift_down(d, out, k, i);
    }
    for (int32_t i = k; i < d->n_vocab; i++) {
        if (before(d, i, out[0])) {
            out[0] = i;
            sift_down(d, out, k, 0);
        }
    }
    for (int32_t n = k - 1; n > 0; n--) { /* the last in order goes to the end */
        const gpt2c_token last = out[0];
        out[0] = out[n];
        out[n] = last;
        sift_down(d, out, n, 0);
    }
}
