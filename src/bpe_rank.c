/* A list of places for every rank, and a bit for every list that is not empty. An entry is stale
 * when its place has got another pair since. Of one rank the leftmost comes first, which matters
 * where pairs overlap, so the places of a list are sorted before they are merged. */
#include "bpe_rank.h"

#include "status.h"

#include <stdlib.h>

/* Every place enters a list at the beginning, and two for each merge. */
enum { MAX_ENTRIES = 3 * 20480 + 1, FEW = 24 };
_Static_assert(BPE_RANK_MAX == 20480, "entries have 16-bit numbers");

struct entry {
    uint16_t place;
    uint16_t next; /* entry of the same list; 0: none */
};

struct bpe_rank {
    const struct vocab *vocab;
    uint16_t *list; /* [n_merges] first entry of a rank; all 0 between pieces */
    uint64_t *used; /* a bit per rank */
    size_t n_used;  /* words */
    size_t n_entries;
    struct entry entry[MAX_ENTRIES];
    uint32_t tok[BPE_RANK_MAX];
    uint32_t rank[BPE_RANK_MAX]; /* of the token at a place and the next one */
    uint16_t next[BPE_RANK_MAX + 1];
    uint16_t prev[BPE_RANK_MAX + 1];
    uint16_t batch[MAX_ENTRIES];
    uint64_t seen[BPE_RANK_MAX / 64];
};

gpt2c_status bpe_rank_create(struct bpe_rank **out, const struct vocab *vocab, gpt2c_error *err)
{
    struct bpe_rank *r = calloc(1, sizeof *r);
    if (r) {
        r->vocab = vocab;
        r->n_used = vocab->n_merges / 64 + 1;
        r->list = calloc((size_t)vocab->n_merges + 1, sizeof *r->list);
        r->used = calloc(r->n_used, sizeof *r->used);
    }
    if (!r || !r->list || !r->used) {
        bpe_rank_free(r);
        r = NULL;
    }
    *out = r;
    return r ? GPT2C_OK : status_fail(err, GPT2C_E_NOMEM, "no memory to merge a long piece");
}

void bpe_rank_free(struct bpe_rank *r)
{
    if (r) {
        free(r->list);
        free(r->used);
        free(r);
    }
}

static inline void push(struct bpe_rank *r, size_t place, uint32_t rank)
{
    r->rank[place] = rank;
    if (rank != VOCAB_NONE) {
        const uint16_t e = (uint16_t)++r->n_entries;
        r->entry[e] = (struct entry){(uint16_t)place, r->list[rank]};
        r->list[rank] = e;
        r->used[rank / 64] |= UINT64_C(1) << (rank % 64);
    }
}

static void begin(struct bpe_rank *r, const unsigned char *piece, size_t n)
{
    const struct vocab *const v = r->vocab;
    r->n_entries = 0;
    r->tok[n - 1] = v->byte_token[piece[n - 1]];
    r->rank[n - 1] = VOCAB_NONE;
    r->next[n - 1] = (uint16_t)n;
    r->prev[n] = (uint16_t)(n - 1);
    for (size_t i = n - 1; i-- > 0;) {
        r->tok[i] = v->byte_token[piece[i]];
        r->next[i] = (uint16_t)(i + 1);
        r->prev[i + 1] = (uint16_t)i;
        push(r, i, v->byte_pairs[piece[i] << 8 | piece[i + 1]]);
    }
}

static void sort_few(uint16_t *place, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const uint16_t p = place[i];
        size_t at = i;
        for (; at > 0 && place[at - 1] > p; at--) {
            place[at] = place[at - 1];
        }
        place[at] = p;
    }
}

static size_t sort_many(struct bpe_rank *r, size_t n)
{
    size_t n_out = 0;
    for (size_t i = 0; i < n; i++) {
        r->seen[r->batch[i] / 64] |= UINT64_C(1) << (r->batch[i] % 64);
    }
    for (size_t w = 0; w < BPE_RANK_MAX / 64; w++) {
        for (; r->seen[w]; r->seen[w] &= r->seen[w] - 1) {
            r->batch[n_out++] = (uint16_t)(64 * w + (size_t)__builtin_ctzll(r->seen[w]));
        }
    }
    return n_out;
}

/* Empties the list of a rank into the batch, in the order of places; returns how many. */
static size_t take(struct bpe_rank *r, uint32_t rank)
{
    size_t n = 0;
    bool sorted = true;
    for (uint16_t e = r->list[rank]; e; e = r->entry[e].next) {
        const uint16_t place = r->entry[e].place;
        sorted = sorted && (n == 0 || r->batch[n - 1] < place);
        r->batch[n] = place;
        n += r->rank[place] == rank;
    }
    r->list[rank] = 0;
    if (sorted) {
        return n;
    }
    if (n > FEW) {
        return sort_many(r, n);
    }
    sort_few(r->batch, n);
    return n;
}

static void merge(struct bpe_rank *r, size_t at, uint32_t made, size_t n)
{
    const size_t gone = r->next[at];
    const size_t after = r->next[gone];
    r->tok[at] = made;
    r->next[at] = (uint16_t)after;
    r->prev[after] = (uint16_t)at;
    r->rank[gone] = VOCAB_NONE;
    push(r, at, after < n ? vocab_rank(r->vocab, made, r->tok[after]) : VOCAB_NONE);
    if (at > 0) {
        const size_t before = r->prev[at];
        push(r, before, vocab_rank(r->vocab, r->tok[before], made));
    }
}

size_t bpe_rank_encode(struct bpe_rank *r, const unsigned char *piece, size_t n, uint32_t *out)
{
    begin(r, piece, n);
    for (size_t w = 0; w < r->n_used; w++) {
        while (r->used[w]) {
            const uint32_t rank = (uint32_t)(64 * w + (size_t)__builtin_ctzll(r->used[w]));
            const size_t n_batch = take(r, rank);
            r->used[w] &= r->used[w] - 1;
            for (size_t i = 0; i < n_batch; i++) {
                if (r->rank[r->batch[i]] == rank) { /* not a part of the merge before */
                    merge(r, r->batch[i], r->vocab->made[rank], n);
                }
            }
        }
    }
    size_t n_tok = 0;
    for (size_t i = 0; i < n; i = r->next[i]) {
        out[n_tok++] = r->tok[i];
    }
    return n_tok;
}
