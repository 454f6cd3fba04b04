/* What one attention head does, as six numbers, added up row by row so that no map is kept.
 *
 * entropy (nats), mean_distance (positions back) and first_token are means over the rows. The other
 * three are the scores of TransformerLens (transformer_lens/head_detector.py, detect_head): a map A
 * [n_tok][n_tok] is held against a pattern D of zeros and ones,
 *
 *   previous_token   D[i][i-1] = 1
 *   duplicate_token  D[i][j] = 1 where tok[j] == tok[i], j < i
 *   induction        D[i][j] = 1 where tok[j-1] == tok[i], 1 <= j <= i
 *
 *   mul: sum(A * D) / sum(A), the share of attention that lies on the pattern
 *   abs: 1 - sum(|A - D|) / n_tok; TransformerLens rounds the sum to 3 digits, this does not
 *
 * exclude_first leaves out column 0 (its exclude_bos), exclude_current the diagonal. Like there,
 * no <|endoftext|> is put in front unless the text has one. */
#ifndef HEADSCORE_H
#define HEADSCORE_H

#include "gpt2c/gpt2c.h"

enum headscore_id {
    HEADSCORE_ENTROPY,
    HEADSCORE_MEAN_DISTANCE,
    HEADSCORE_FIRST_TOKEN,
    HEADSCORE_PREVIOUS_TOKEN,
    HEADSCORE_DUPLICATE_TOKEN,
    HEADSCORE_INDUCTION,
    HEADSCORE_N
};

extern const char *const headscore_names[HEADSCORE_N + 1]; /* "entropy", …, NULL */

struct headscore_rule {
    bool abs;
    bool exclude_first, exclude_current;
};

struct headscore_sums { /* of one head, all 0 at first */
    double entropy, distance, first;
    double total;   /* attention outside what is excluded */
    double on[3];   /* of that, on each pattern           */
    double miss[3]; /* sum(|A - D|) less total            */
};

/* Adds the row of the query at `pos`: att [pos + 1], tok [pos + 1]. */
void headscore_add(struct headscore_sums *sums, const struct headscore_rule *rule,
                   const gpt2c_token *tok, size_t pos, const float *att);
/* The scores of n_tok rows, 1 or more. NaN where everything was excluded. */
void headscore_finish(const struct headscore_sums *sums, const struct headscore_rule *rule,
                      size_t n_tok, double score[HEADSCORE_N]);

#endif
