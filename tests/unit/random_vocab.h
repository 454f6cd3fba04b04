/* Vocabularies of random merges over a few letters: nested, ambiguous, with tokens that several
 * merges make and tokens that can never come about. What holds for these holds for any. */
#ifndef RANDOM_VOCAB_H
#define RANDOM_VOCAB_H

#include "vocab_builder.h"

#include <string.h>

static inline uint32_t random_vocab_next(uint64_t *state, uint32_t n)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*state >> 33) % n);
}

/* The characters that stand for a token's bytes; the letters used here stand for themselves. */
struct random_vocab_token {
    char text[64];
    size_t n;
};

/* n_merges at most; unique: no two make the same token. *vocab is to be freed. False when memory is
 * short. */
static inline bool random_vocab_make(struct vocab *vocab, uint64_t seed, uint32_t n_letters,
                                     uint32_t n_merges, bool unique)
{
    static struct random_vocab_token token[1024];
    static uint32_t left[512];
    static uint32_t right[512];
    struct vocab_builder b = {.tokens_file = "tokens", .merges_file = "merges", .unit = "merge"};
    uint32_t n_tok = 256;
    uint32_t n_done = 0;
    *vocab = (struct vocab){.n_vocab = 0};
    gpt2c_status st = vocab_builder_init(&b, vocab, 1 << 16, NULL);
    for (uint32_t byte = 0; byte < 256; byte++) {
        const uint32_t cp = vocab->byte_char[byte];
        token[byte].n = cp < 0x80 ? 1 : 2;
        token[byte].text[0] = (char)(cp < 0x80 ? cp : 0xc0 | cp >> 6);
        token[byte].text[1] = (char)(0x80 | (cp & 0x3f));
    }
    for (uint32_t tries = 0; tries < 4 * n_merges && n_done < n_merges; tries++) {
        const uint32_t n_known = n_letters + n_tok - 256;
        const uint32_t l = random_vocab_next(&seed, n_known);
        const uint32_t r = random_vocab_next(&seed, n_known);
        const struct random_vocab_token *a = &token[l < n_letters ? 'a' + l : 256 + l - n_letters];
        const struct random_vocab_token *c = &token[r < n_letters ? 'a' + r : 256 + r - n_letters];
        struct random_vocab_token *made = &token[n_tok];
        bool known = false;
        bool same_pair = false;
        if (a->n + c->n > sizeof made->text) {
            continue;
        }
        memcpy(made->text, a->text, a->n);
        memcpy(made->text + a->n, c->text, c->n);
        made->n = a->n + c->n;
        for (uint32_t i = 256; i < n_tok; i++) {
            known = known || (token[i].n == made->n && !memcmp(token[i].text, made->text, made->n));
        }
        left[n_done] = (uint32_t)(a - token);
        right[n_done] = (uint32_t)(c - token);
        for (uint32_t i = 0; i < n_done; i++) {
            same_pair = same_pair || (left[i] == left[n_done] && right[i] == right[n_done]);
        }
        const bool taken = !same_pair && !(unique && known);
        n_done += taken;
        n_tok += taken && !known;
    }
    for (uint32_t i = 0; i < n_tok && !st; i++) {
        st = vocab_builder_token(&b, token[i].text, token[i].n, i, NULL);
    }
    if (!st) {
        st = vocab_builder_seal(&b, n_done, NULL);
    }
    for (uint32_t i = 0; i < n_done && !st; i++) {
        st = vocab_builder_merge(&b, token[left[i]].text, token[left[i]].n, token[right[i]].text,
                                 token[right[i]].n, NULL);
    }
    if (!st) {
        st = vocab_builder_finish(&b, NULL);
    }
    vocab_builder_free(&b);
    return st == GPT2C_OK;
}

#endif
