/* Sums behind the scores of attention heads. Row by row in double; the patterns are compared on the
 * fly, because a stored one would be as large as the map. */
#include "headscore.h"

#include <math.h>

enum { PREVIOUS, DUPLICATE, INDUCTION };

const char *const headscore_names[HEADSCORE_N + 1] = {
    "entropy", "mean_distance", "first_token", "previous_token", "duplicate_token", "induction",
    NULL,
};

static void add_match(struct headscore_sums *sums, int pattern, double a)
{
    sums->on[pattern] += a;
    sums->miss[pattern] += fabs(1.0 - a) - a;
}

void headscore_add(struct headscore_sums *sums, const struct headscore_rule *rule,
                   const gpt2c_token *tok, size_t pos, const float *att)
{
    const size_t begin = rule->exclude_first ? 1 : 0;
    const size_t end = rule->exclude_current ? pos : pos + 1;
    sums->first += (double)att[0];
    for (size_t j = 0; j <= pos; j++) {
        const double a = (double)att[j];
        sums->distance += a * (double)(pos - j);
        if (a > 0.0) {
            sums->entropy -= a * log(a);
        }
    }
    for (size_t j = begin; j < end; j++) {
        const double a = (double)att[j];
        sums->total += a;
        if (j + 1 == pos) {
            add_match(sums, PREVIOUS, a);
        }
        if (j < pos && tok[j] == tok[pos]) {
            add_match(sums, DUPLICATE, a);
        }
        if (j > 0 && tok[j - 1] == tok[pos]) {
            add_match(sums, INDUCTION, a);
        }
    }
}

void headscore_finish(const struct headscore_sums *sums, const struct headscore_rule *rule,
                      size_t n_tok, double score[HEADSCORE_N])
{
    const double n = (double)n_tok;
    score[HEADSCORE_ENTROPY] = sums->entropy / n;
    score[HEADSCORE_MEAN_DISTANCE] = sums->distance / n;
    score[HEADSCORE_FIRST_TOKEN] = sums->first / n;
    for (int p = PREVIOUS; p <= INDUCTION; p++) {
        score[HEADSCORE_PREVIOUS_TOKEN + p] =
            rule->abs ? 1.0 - (sums->total + sums->miss[p]) / n : sums->on[p] / sums->total;
    }
}
