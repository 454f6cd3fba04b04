/* The tables: a trie of all tokens that encode to themselves, and for each the merge that makes it.
 * A token that merges never yield from its own bytes can stand in no encoding (fact 1), so such
 * tokens stay out and every token has exactly one tree of merges. */
#include "bpe_long.h"

#include "bpe.h"
#include "bpe_rank.h"
#include "status.h"

#include <stdlib.h>
#include <string.h>

enum { RANK_BYTE = -1, RANK_NEVER = -2, KNOWN_BITS = 14, GIVE_UP = 64 };

struct made {
    int32_t rank;         /* of the merge that makes the token        */
    uint32_t left, right; /* what that merge joins                    */
    uint32_t shorter;     /* the longest token that is a proper prefix */
};

struct bpe_long {
    const struct vocab *vocab;
    struct made *made;    /* [n_vocab] how the token comes about                            */
    uint32_t *two;        /* [256 * 256] the node of each two bytes, or VOCAB_NONE          */
    uint32_t *node_token; /* [n_nodes] the token that ends here, or VOCAB_NONE              */
    uint64_t *edges;      /* (node, byte) + 1 and the child in one word; open addressing    */
    unsigned edges_shift;
    uint32_t n_nodes;
    bool ordered; /* no merge uses what a later one makes, and no two make the same: see stay() */
};

void bpe_long_free(struct bpe_long *t)
{
    if (t) {
        free(t->made);
        free(t->two);
        free(t->node_token);
        free(t->edges);
        free(t);
    }
}

void bpe_long_scratch_free(struct bpe_long_scratch *scratch)
{
    free(scratch->dead);
    free(scratch->known);
    bpe_rank_free(scratch->ranks);
    free(scratch->first);
    free(scratch->last);
    memset(scratch, 0, sizeof *scratch);
}

/* ---- neighbours ------------------------------------------------------------------------------ */

/* In an ordered vocabulary, as training makes it, merges happen in the order of their ranks. Then:
 * do l and r side by side stay two tokens until a merge of rank `limit` takes one of them away?
 * Walks their merges backwards in time, the later of the two first. While two parts face each
 * other, a merge of both would come first if its rank is below that of the merge that ends the
 * meeting, or equal when that one lies to the right: of equals the leftmost is first. */
static bool stay(const struct bpe_long *t, uint32_t l, uint32_t r, uint32_t limit)
{
    for (;;) {
        if (vocab_rank(t->vocab, l, r) < limit) {
            return false;
        }
        if (t->made[l].rank == RANK_BYTE && t->made[r].rank == RANK_BYTE) {
            return true;
        }
        if (t->made[l].rank > t->made[r].rank) {
            limit = (uint32_t)t->made[l].rank;
            l = t->made[l].right;
        } else {
            limit = (uint32_t)t->made[r].rank + 1;
            r = t->made[r].left;
        }
    }
}

/* The tokens of the bytes of l, and of r if it is one, are these two (this one): by definition. */
static bool stay_by_merging(const struct bpe_long *t, uint32_t l, uint32_t r)
{
    uint32_t tok[2 * VOCAB_MAX_TOKEN_BYTES];
    const uint32_t parts[2] = {l, r};
    size_t n_parts = 0;
    size_t n_tok = 0;
    size_t at = 0;
    for (; n_parts < 2 && parts[n_parts] != VOCAB_NONE; n_parts++) {
        size_t n = 0;
        const unsigned char *const bytes = vocab_bytes(t->vocab, parts[n_parts], &n);
        for (size_t i = 0; i < n; i++) {
            tok[n_tok++] = t->vocab->byte_token[bytes[i]];
        }
    }
    while (bpe_step(t->vocab, tok, &n_tok, &at) != VOCAB_NONE) {
    }
    return n_tok == n_parts && memcmp(tok, parts, n_tok * sizeof *tok) == 0;
}

/* Whether they stay to the end, with a memory for the pairs of late. */
static bool neighbours(const struct bpe_long *t, struct bpe_long_scratch *s, uint32_t l, uint32_t r)
{
    const uint64_t pair = (uint64_t)l << VOCAB_ID_BITS | r;
    uint64_t *const slot = &s->known[pair * UINT64_C(0x9e3779b97f4a7c15) >> (64 - KNOWN_BITS)];
    if (*slot >> 1 != pair + 1) {
        const bool yes = t->ordered ? stay(t, l, r, VOCAB_NONE) : stay_by_merging(t, l, r);
        *slot = (pair + 1) << 1 | yes;
        s->n_unknown++;
    }
    return *slot & 1;
}

/* ---- trie ------------------------------------------------------------------------------------ */

static uint64_t *edge_slot(const struct bpe_long *t, uint32_t node, unsigned char byte)
{
    const uint32_t key = (node << 8 | byte) + 1;
    const size_t mask = ((size_t)1 << (64 - t->edges_shift)) - 1;
    size_t at = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> t->edges_shift);
    while (t->edges[at] && t->edges[at] >> 32 != key) {
        at = (at + 1) & mask;
    }
    return &t->edges[at];
}

static uint32_t child(const struct bpe_long *t, uint32_t node, unsigned char byte)
{
    const uint64_t edge = *edge_slot(t, node, byte);
    return edge ? (uint32_t)edge : VOCAB_NONE;
}

static uint32_t add_node(struct bpe_long *t)
{
    t->node_token[t->n_nodes] = VOCAB_NONE;
    return t->n_nodes++;
}

static void insert_token(struct bpe_long *t, uint32_t id)
{
    size_t n = 0;
    const unsigned char *const bytes = vocab_bytes(t->vocab, id, &n);
    uint32_t *const first = &t->two[bytes[0] << 8 | bytes[1]];
    if (*first == VOCAB_NONE) {
        *first = add_node(t);
    }
    uint32_t node = *first;
    for (size_t i = 2; i < n; i++) {
        uint64_t *const edge = edge_slot(t, node, bytes[i]);
        if (*edge == 0) {
            *edge = (uint64_t)((node << 8 | bytes[i]) + 1) << 32 | add_node(t);
        }
        node = (uint32_t)*edge;
    }
    t->node_token[node] = id;
}

static inline uint32_t longest(const struct bpe_long *t, const unsigned char *p,
                               const unsigned char *end)
{
    uint32_t best = t->vocab->byte_token[*p];
    if (end - p < 2) {
        return best;
    }
    uint32_t node = t->two[p[0] << 8 | p[1]];
    for (p += 2; node != VOCAB_NONE; p++) {
        best = t->node_token[node] != VOCAB_NONE ? t->node_token[node] : best;
        node = p < end ? child(t, node, *p) : VOCAB_NONE;
    }
    return best;
}

static uint32_t token_bytes(const struct bpe_long *t, uint32_t id)
{
    return t->vocab->begin[id + 1] - t->vocab->begin[id];
}

/* ---- creation -------------------------------------------------------------------------------- */

/* What the merges join, by rank: the pairs hold it scattered. */
static void list_merges(const struct vocab *v, uint32_t (*joined)[2])
{
    const size_t n_slots = (size_t)1 << (64 - v->pairs_shift);
    for (size_t i = 0; i < n_slots; i++) {
        const uint64_t slot = v->pairs[i];
        if (slot != UINT64_MAX) {
            const uint32_t rank = (uint32_t)(slot & ((1u << VOCAB_RANK_BITS) - 1));
            joined[rank][0] = (uint32_t)(slot >> (VOCAB_RANK_BITS + VOCAB_ID_BITS));
            joined[rank][1] = (uint32_t)(slot >> VOCAB_RANK_BITS) & ((1u << VOCAB_ID_BITS) - 1);
        }
    }
}

/* Leaves in t->made the rank of the first merge that makes each token. */
static bool is_ordered(struct bpe_long *t, uint32_t (*joined)[2])
{
    const struct vocab *const v = t->vocab;
    for (uint32_t rank = 0; rank < v->n_merges; rank++) {
        const uint32_t made = v->made[rank];
        if (t->made[made].rank != RANK_NEVER || t->made[joined[rank][0]].rank == RANK_NEVER ||
            t->made[joined[rank][1]].rank == RANK_NEVER) {
            return false;
        }
        t->made[made].rank = (int32_t)rank;
    }
    return true;
}

/* A merge makes its token from the token's bytes alone if both halves come about so, and nothing
 * joins them across the middle before. */
static void make_trees(struct bpe_long *t, uint32_t (*joined)[2])
{
    const struct vocab *const v = t->vocab;
    for (uint32_t rank = 0; rank < v->n_merges; rank++) {
        const uint32_t made = v->made[rank];
        const uint32_t l = joined[rank][0];
        const uint32_t r = joined[rank][1];
        if (t->made[l].rank == RANK_NEVER || t->made[r].rank == RANK_NEVER ||
            !stay(t, l, r, rank)) {
            t->made[made].rank = RANK_NEVER;
        }
        t->made[made].left = l;
        t->made[made].right = r;
    }
}

static void clear_ranks(struct bpe_long *t)
{
    for (uint32_t id = 0; id < t->vocab->n_vocab; id++) {
        t->made[id].rank = RANK_NEVER;
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        t->made[t->vocab->byte_token[byte]].rank = RANK_BYTE;
    }
}

static gpt2c_status find_tokens(struct bpe_long *t, gpt2c_error *err)
{
    const struct vocab *const v = t->vocab;
    uint32_t(*const joined)[2] = malloc((v->n_merges + 1) * sizeof *joined);
    if (!joined) {
        return status_fail(err, GPT2C_E_NOMEM, "no memory for the merges");
    }
    list_merges(v, joined);
    clear_ranks(t);
    t->ordered = is_ordered(t, joined);
    if (t->ordered) {
        make_trees(t, joined);
    } else {
        clear_ranks(t);
        for (uint32_t rank = 0; rank < v->n_merges; rank++) {
            if (stay_by_merging(t, v->made[rank], VOCAB_NONE)) {
                t->made[v->made[rank]].rank = (int32_t)rank;
            }
        }
    }
    free(joined);
    return GPT2C_OK;
}

/* The edges of as many nodes as there could be, into a table for those that there are: it then fits
 * into a cache. */
static gpt2c_status shrink_edges(struct bpe_long *t, gpt2c_error *err)
{
    uint64_t *const old = t->edges;
    const size_t n_old = (size_t)1 << (64 - t->edges_shift);
    t->edges_shift = vocab_table_shift(t->n_nodes);
    t->edges = calloc((size_t)1 << (64 - t->edges_shift), sizeof *t->edges);
    if (!t->edges) {
        t->edges = old;
        return status_fail(err, GPT2C_E_NOMEM, "no memory for the tables of long pieces");
    }
    for (size_t i = 0; i < n_old; i++) {
        if (old[i]) {
            const uint32_t key = (uint32_t)(old[i] >> 32) - 1;
            *edge_slot(t, key >> 8, (unsigned char)(key & 255)) = old[i];
        }
    }
    free(old);
    return GPT2C_OK;
}

static gpt2c_status make_trie(struct bpe_long *t, gpt2c_error *err)
{
    const struct vocab *const v = t->vocab;
    memset(t->two, 0xff, 256 * 256 * sizeof *t->two);
    for (uint32_t id = 0; id < v->n_vocab; id++) {
        if (t->made[id].rank >= 0) {
            insert_token(t, id);
        }
    }
    for (uint32_t id = 0; id < v->n_vocab; id++) {
        if (t->made[id].rank >= 0) {
            const unsigned char *const bytes = v->bytes + v->begin[id];
            t->made[id].shorter = longest(t, bytes, bytes + token_bytes(t, id) - 1);
        }
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        t->made[v->byte_token[byte]].shorter = VOCAB_NONE;
    }
    return shrink_edges(t, err);
}

gpt2c_status bpe_long_create(struct bpe_long **out, const struct vocab *v, gpt2c_error *err)
{
    struct bpe_long *const t = calloc(1, sizeof *t);
    const size_t max_nodes = (size_t)v->begin[v->n_vocab] + 1;
    gpt2c_status st = GPT2C_OK;
    *out = NULL;
    if (t) {
        t->vocab = v;
        t->edges_shift = vocab_table_shift(max_nodes);
        t->made = calloc(v->n_vocab, sizeof *t->made);
        t->two = malloc(256 * 256 * sizeof *t->two);
        t->node_token = malloc(max_nodes * sizeof *t->node_token);
        t->edges = calloc((size_t)1 << (64 - t->edges_shift), sizeof *t->edges);
    }
    if (!t || !t->made || !t->two || !t->node_token || !t->edges) {
        st = status_fail(err, GPT2C_E_NOMEM, "no memory for the tables of long pieces");
    }
    if (!st) {
        st = find_tokens(t, err);
    }
    if (!st) {
        st = make_trie(t, err);
    }
    if (st) {
        bpe_long_free(t);
        return st;
    }
    *out = t;
    return GPT2C_OK;
}

/* ---- encoding -------------------------------------------------------------------------------- */

static gpt2c_status reserve(struct bpe_long_scratch *s, size_t n, gpt2c_error *err)
{
    const size_t n_words = n / 64 + 1;
    if (!s->known) {
        s->known = calloc((size_t)1 << KNOWN_BITS, sizeof *s->known);
    }
    if (n_words > s->cap_dead) {
        free(s->dead);
        s->dead = malloc(n_words * sizeof *s->dead);
        s->cap_dead = s->dead ? n_words : 0;
    }
    if (!s->known || !s->dead) {
        return status_fail(err, GPT2C_E_NOMEM, "no memory to encode a piece of %zu bytes", n);
    }
    memset(s->dead, 0, n_words * sizeof *s->dead);
    return GPT2C_OK;
}

/* The chain, from the left. Gives up (*n_out 0) where most of the pairs are new ones: then it is no
 * faster than merging. */
static void chain(const struct bpe_long *t, struct bpe_long_scratch *s, const unsigned char *piece,
                  size_t n, uint32_t *out, size_t *n_out)
{
    const bool may_give_up = t->ordered && n <= BPE_RANK_MAX;
    size_t n_tok = 0;
    size_t pos = 0;
    uint32_t token = longest(t, piece, piece + n);
    s->n_unknown = 0;
    *n_out = 0;
    while (pos < n) {
        const size_t next = pos + token_bytes(t, token);
        if (!(s->dead[next / 64] >> (next % 64) & 1) &&
            (n_tok == 0 || neighbours(t, s, out[n_tok - 1], token))) {
            out[n_tok++] = token;
            pos = next;
            token = pos < n ? longest(t, piece + pos, piece + n) : VOCAB_NONE;
            continue;
        }
        token = t->made[token].shorter;
        while (token == VOCAB_NONE) {
            s->dead[pos / 64] |= UINT64_C(1) << (pos % 64);
            token = out[--n_tok];
            pos -= token_bytes(t, token);
            token = t->made[token].shorter;
        }
        if (may_give_up && s->n_unknown > GIVE_UP + n_tok / 4) {
            return;
        }
    }
    *n_out = n_tok;
}

gpt2c_status bpe_long_encode(const struct bpe_long *t, struct bpe_long_scratch *s,
                             const unsigned char *piece, size_t n, uint32_t *out, size_t *n_out,
                             gpt2c_error *err)
{
    gpt2c_status st = reserve(s, n, err);
    *n_out = 0;
    if (!st) {
        chain(t, s, piece, n, out, n_out);
    }
    if (!st && *n_out == 0 && !s->ranks) {
        st = bpe_rank_create(&s->ranks, t->vocab, err);
    }
    if (!st && *n_out == 0) {
        *n_out = bpe_rank_encode(s->ranks, piece, n, out);
    }
    return st;
}

/* The tail's encoding up to `end` ends with this token if it can follow that up to `begin`. */
static void settle_end(const struct bpe_long *t, struct bpe_long_scratch *s, size_t begin,
                       size_t end, uint32_t token)
{
    if (s->last[end] == VOCAB_NONE && (begin == 0 || neighbours(t, s, s->last[begin], token))) {
        s->last[end] = token;
        s->first[end] = begin == 0 ? token : s->first[begin];
    }
}

/* For every end in a tail of the piece, the first and the last token of the tail's encoding up to
 * there. */
static void settle_tail(const struct bpe_long *t, struct bpe_long_scratch *s,
                        const unsigned char *tail, size_t n)
{
    for (size_t i = 0; i <= n; i++) {
        s->last[i] = VOCAB_NONE;
    }
    for (size_t i = 0; i < n; i++) {
        settle_end(t, s, i, i + 1, t->vocab->byte_token[tail[i]]);
        uint32_t node = i + 1 < n ? t->two[tail[i] << 8 | tail[i + 1]] : VOCAB_NONE;
        for (size_t end = i + 2; node != VOCAB_NONE; end++) {
            if (t->node_token[node] != VOCAB_NONE) {
                settle_end(t, s, i, end, t->node_token[node]);
            }
            node = end < n ? child(t, node, tail[end]) : VOCAB_NONE;
        }
    }
}

gpt2c_status bpe_long_settled(const struct bpe_long *t, struct bpe_long_scratch *s,
                              const unsigned char *piece, size_t n, bool whole_chars,
                              const uint32_t *tok, size_t n_tok, size_t *n_settled, size_t *n_bytes,
                              gpt2c_error *err)
{
    const size_t reach = t->vocab->max_bytes;
    *n_settled = 0;
    *n_bytes = 0;
    if (n + 1 > s->cap_settled) {
        free(s->first);
        free(s->last);
        s->first = malloc((n + 1) * sizeof *s->first);
        s->last = malloc((n + 1) * sizeof *s->last);
        s->cap_settled = s->first && s->last ? n + 1 : 0;
        if (!s->cap_settled) {
            return status_fail(err, GPT2C_E_NOMEM, "no memory to encode a piece of %zu bytes", n);
        }
    }
    /* Whatever follows, the encoding has a boundary among the last `reach` ends, and before it the
     * encoding up to there. The tokens before the tail are settled if for each of these ends the
     * tail's own encoding can follow them. */
    size_t n_tail = 0;
    for (size_t want = 2 * reach; want < n; want *= 2) {
        while (n_tok > 0 &&
               (n_tail < want || (whole_chars && (piece[n - n_tail] & 0xc0) == 0x80))) {
            n_tail += token_bytes(t, tok[--n_tok]);
        }
        if (n_tok == 0) {
            break;
        }
        const unsigned char *const tail = piece + n - n_tail;
        bool settled = true;
        settle_tail(t, s, tail, n_tail);
        for (size_t end = n_tail - reach + 1; end <= n_tail && settled; end++) {
            settled = neighbours(t, s, tok[n_tok - 1], s->first[end]);
        }
        if (settled) {
            *n_settled = n_tok;
            *n_bytes = n - n_tail;
            break;
        }
    }
    return GPT2C_OK;
}
