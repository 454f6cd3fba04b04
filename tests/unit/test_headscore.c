/* Scores of attention heads: values by hand, the patterns of TransformerLens on a text with
 * repeats, and what the options leave out. */
#include "headscore.h"
#include "check.h"

enum { N = 4 };

/* The text a b a a. Patterns (row: query, column: key):
 *   previous  [1][0] [2][1] [3][2]
 *   duplicate [2][0] [3][0] [3][2]
 *   induction [2][1] [3][1] [3][3]     (the key after an earlier a; [3][3] follows the a at 2) */
static const gpt2c_token text[N] = {5, 7, 5, 5};
static const float att[N][N] = {
    {1.0f, 0.0f, 0.0f, 0.0f},
    {0.25f, 0.75f, 0.0f, 0.0f},
    {0.5f, 0.25f, 0.25f, 0.0f},
    {0.125f, 0.125f, 0.25f, 0.5f},
};

static void score_of(const float map[N][N], struct headscore_rule rule, double score[HEADSCORE_N])
{
    struct headscore_sums sums = {0};
    for (size_t pos = 0; pos < N; pos++) {
        headscore_add(&sums, &rule, text, pos, map[pos]);
    }
    headscore_finish(&sums, &rule, N, score);
}

static void means_by_hand(void)
{
    double s[HEADSCORE_N];
    const double rows = (0.25 * log(4.0) + 0.75 * log(4.0 / 3.0)) + (1.5 * log(2.0)) +
                        (0.25 * log(8.0) + 0.25 * log(4.0) + 0.5 * log(2.0));
    score_of(att, (struct headscore_rule){0}, s);
    CHECK_NEAR(s[HEADSCORE_ENTROPY], rows / 4, 1e-12);
    CHECK_NEAR(s[HEADSCORE_MEAN_DISTANCE], (0.25 + (1.0 + 0.25) + (0.375 + 0.25 + 0.25)) / 4,
               1e-12);
    CHECK_NEAR(s[HEADSCORE_FIRST_TOKEN], (1.0 + 0.25 + 0.5 + 0.125) / 4, 1e-12);
}

static void mul_by_hand(void)
{
    double s[HEADSCORE_N];
    score_of(att, (struct headscore_rule){0}, s);
    CHECK_NEAR(s[HEADSCORE_PREVIOUS_TOKEN], (0.25 + 0.25 + 0.25) / 4, 1e-12);
    CHECK_NEAR(s[HEADSCORE_DUPLICATE_TOKEN], (0.5 + 0.125 + 0.25) / 4, 1e-12);
    CHECK_NEAR(s[HEADSCORE_INDUCTION], (0.25 + 0.125 + 0.5) / 4, 1e-12);
}

/* Without column 0 and the diagonal 0.25 + 0.125 + 0.25 is left. */
static void exclusions_by_hand(void)
{
    double s[HEADSCORE_N];
    score_of(att, (struct headscore_rule){.exclude_first = true, .exclude_current = true}, s);
    CHECK_NEAR(s[HEADSCORE_PREVIOUS_TOKEN], (0.25 + 0.25) / 0.625, 1e-12);
    CHECK_NEAR(s[HEADSCORE_DUPLICATE_TOKEN], 0.25 / 0.625, 1e-12);
    CHECK_NEAR(s[HEADSCORE_INDUCTION], (0.25 + 0.125) / 0.625, 1e-12);
    CHECK_NEAR(s[HEADSCORE_FIRST_TOKEN], 1.875 / 4, 1e-12); /* the means keep every entry */
}

static void abs_by_hand(void)
{
    double s[HEADSCORE_N];
    double expected = 0.0;
    score_of(att, (struct headscore_rule){.abs = true}, s);
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++) {
            expected += fabs((double)att[i][j] - (j + 1 == i ? 1.0 : 0.0));
        }
    }
    CHECK_NEAR(s[HEADSCORE_PREVIOUS_TOKEN], 1.0 - expected / N, 1e-12);
    score_of(att, (struct headscore_rule){.abs = true, .exclude_first = true}, s);
    for (size_t i = 0; i < N; i++) {
        expected -= fabs((double)att[i][0] - (i == 1 ? 1.0 : 0.0));
    }
    CHECK_NEAR(s[HEADSCORE_PREVIOUS_TOKEN], 1.0 - expected / N, 1e-12);
}

static void perfect_head(void)
{
    const float map[N][N] = {{1, 0, 0, 0}, {1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}};
    double s[HEADSCORE_N];
    score_of(map, (struct headscore_rule){.exclude_current = true}, s);
    CHECK_NEAR(s[HEADSCORE_PREVIOUS_TOKEN], 1.0, 1e-12);
    CHECK_NEAR(s[HEADSCORE_ENTROPY], 0.0, 1e-12);
    CHECK_NEAR(s[HEADSCORE_MEAN_DISTANCE], 0.75, 1e-12);
    score_of(map, (struct headscore_rule){.abs = true, .exclude_current = true}, s);
    CHECK_NEAR(s[HEADSCORE_PREVIOUS_TOKEN], 1.0, 1e-12);
}

static void one_token(void)
{
    const float row = 1.0f;
    struct headscore_sums sums = {0};
    struct headscore_rule rule = {0};
    double s[HEADSCORE_N];
    headscore_add(&sums, &rule, text, 0, &row);
    headscore_finish(&sums, &rule, 1, s);
    CHECK(s[HEADSCORE_ENTROPY] == 0.0 && s[HEADSCORE_MEAN_DISTANCE] == 0.0);
    CHECK(s[HEADSCORE_FIRST_TOKEN] == 1.0 && s[HEADSCORE_INDUCTION] == 0.0);
    sums = (struct headscore_sums){0};
    rule.exclude_current = true;
    headscore_add(&sums, &rule, text, 0, &row);
    headscore_finish(&sums, &rule, 1, s);
    CHECK(isnan(s[HEADSCORE_INDUCTION])); /* nothing is left to be shared out */
}

int main(void)
{
    means_by_hand();
    mul_by_hand();
    exclusions_by_hand();
    abs_by_hand();
    perfect_head();
    one_token();
    return check_result();
}
