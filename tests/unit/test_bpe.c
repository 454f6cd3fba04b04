/* The fast ways of merging against the definition, on random vocabularies: short pieces, long
 * pieces, and what is settled at the beginning of a piece that goes on. */
#include "bpe.h"
#include "bpe_long.h"
#include "bpe_rank.h"
#include "check.h"
#include "random_vocab.h"

#include <stdlib.h>

enum { N_VOCABS = 300, N_TEXTS = 40, TEXT_MAX = 400 };

static long n_settled_texts;

static size_t define(const struct vocab *v, const unsigned char *text, size_t n, uint32_t *out)
{
    size_t at = 0;
    size_t n_tok = n;
    for (size_t i = 0; i < n; i++) {
        out[i] = v->byte_token[text[i]];
    }
    while (bpe_step(v, out, &n_tok, &at) != VOCAB_NONE) {
    }
    return n_tok;
}

static bool same(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b)
{
    return n_a == n_b && memcmp(a, b, n_a * sizeof *a) == 0;
}

static void check_text(const struct vocab *v, const struct bpe_long *tables,
                       struct bpe_long_scratch *scratch, struct bpe_rank *ranks,
                       const unsigned char *text, size_t n, size_t n_part)
{
    uint32_t right[TEXT_MAX];
    uint32_t found[TEXT_MAX];
    size_t n_found = 0;
    size_t n_settled = 0;
    size_t n_bytes = 0;
    const size_t n_right = define(v, text, n, right);
    CHECK_INT(bpe_long_encode(tables, scratch, text, n, found, &n_found, NULL), GPT2C_OK);
    CHECK(same(found, n_found, right, n_right));
    if (n <= BPE_SHORT) {
        n_found = bpe_encode(v, text, n, found);
        CHECK(same(found, n_found, right, n_right));
    }
    if (ranks) {
        n_found = bpe_rank_encode(ranks, text, n, found);
        CHECK(same(found, n_found, right, n_right));
    }
    CHECK_INT(bpe_long_encode(tables, scratch, text, n_part, found, &n_found, NULL), GPT2C_OK);
    CHECK_INT(bpe_long_settled(tables, scratch, text, n_part, false, found, n_found, &n_settled,
                               &n_bytes, NULL),
              GPT2C_OK);
    CHECK(n_settled <= n_right && same(found, n_settled, right, n_settled));
    size_t n_covered = 0;
    for (size_t i = 0; i < n_settled; i++) {
        n_covered += v->begin[found[i] + 1] - v->begin[found[i]];
    }
    CHECK_INT(n_bytes, n_covered);
    n_settled_texts += n_settled > 0;
}

int main(void)
{
    uint64_t state = 42;
    for (uint32_t iv = 0; iv < N_VOCABS; iv++) {
        struct vocab v;
        struct bpe_long *tables = NULL;
        struct bpe_long_scratch scratch = {0};
        struct bpe_rank *ranks = NULL;
        const bool ordered = iv % 2 == 0; /* no two merges make the same token */
        const uint32_t n_letters = 1 + random_vocab_next(&state, 4);
        const uint32_t n_merges = 1 + random_vocab_next(&state, 60);
        if (!CHECK(random_vocab_make(&v, state, n_letters, n_merges, ordered)) ||
            !CHECK_INT(bpe_long_create(&tables, &v, NULL), GPT2C_OK) ||
            (ordered && !CHECK_INT(bpe_rank_create(&ranks, &v, NULL), GPT2C_OK))) {
            break;
        }
        for (int it = 0; it < N_TEXTS; it++) {
            unsigned char text[TEXT_MAX];
            const size_t n = 1 + random_vocab_next(&state, it % 4 ? 50 : TEXT_MAX);
            for (size_t i = 0; i < n; i++) {
                text[i] = (unsigned char)('a' + random_vocab_next(&state, n_letters));
            }
            check_text(&v, tables, &scratch, ranks, text, n,
                       1 + random_vocab_next(&state, (uint32_t)n));
        }
        bpe_rank_free(ranks);
        bpe_long_scratch_free(&scratch);
        bpe_long_free(tables);
        vocab_free(&v);
    }
    CHECK(n_settled_texts > 100);
    printf("%d vocabularies, %d texts each, %ld with a settled beginning\n", N_VOCABS, N_TEXTS,
           n_settled_texts);
    return check_result();
}
