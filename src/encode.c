/* The loop that reads text. A word of English takes one look at 16 bytes, which gives the piece,
 * its key and its place in the cache; what is not in the cache is merged and put there. The cache
 * holds pieces of up to 15 bytes and 4 tokens: nearly all of most texts. It belongs to the thread,
 * so nothing here is shared or locked. */
#include "encode.h"

#include "bpe.h"
#include "bpe_rank.h"
#include "status.h"

#include <stdlib.h>
#include <string.h>

enum {
    KEY_BYTES = 16,     /* read at once */
    MAX_CACHED = 15,    /* bytes of a piece in the cache: the last byte of a key is its length */
    MAX_TOKENS = 4,     /* of a piece in the cache */
    SLACK = MAX_TOKENS, /* ids written past the last: whole entries are copied */
    COUNT_SHIFT = 60,   /* a cached key has the number of tokens in its upper four bits */
    MAX_SETS_BITS = 15
};
/* A longer piece is settled part by part, so that its merging stays in the processor's cache. */
#define WINDOW BPE_RANK_MAX
#define COUNT_MASK (UINT64_C(15) << COUNT_SHIFT)

struct encode_entry {
    uint64_t low, high;
    uint32_t tok[MAX_TOKENS];
};

struct encode_set { /* a cache line; the first was used last */
    struct encode_entry way[2];
};

/* ---- life ------------------------------------------------------------------------------------ */

gpt2c_status encode_init(struct encode *e, const gpt2c_tokenizer *tokenizer, gpt2c_special special,
                         size_t text_bytes, gpt2c_error *err)
{
    unsigned bits = 4;
    while (bits < MAX_SETS_BITS && (size_t)1 << bits < text_bytes / 16) {
        bits++;
    }
    memset(e, 0, sizeof *e);
    e->tokenizer = tokenizer;
    e->special = special;
    e->cache_shift = 64 - bits;
    /* Pages of zeros that a short text never touches: no memset. */
    e->block = calloc(((size_t)1 << bits) + 1, sizeof *e->cache);
    if (!e->block) {
        return status_fail(err, GPT2C_E_NOMEM, "no memory to encode text");
    }
    e->cache = (struct encode_set *)(((uintptr_t)e->block + sizeof *e->cache - 1) &
                                     ~(uintptr_t)(sizeof *e->cache - 1));
    return GPT2C_OK;
}

void encode_free(struct encode *e)
{
    free(e->block);
    free(e->out);
    bpe_long_scratch_free(&e->scratch);
    memset(e, 0, sizeof *e);
}

void encode_restart(struct encode *e)
{
    e->pos = 0;
    e->open = false;
}

/* ---- words ----------------------------------------------------------------------------------- */

struct key {
    uint64_t low, high;
};

static inline uint64_t load_word(const unsigned char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* A bit per byte of the word: set where it is no ASCII letter. */
static inline unsigned not_letters(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t high = ones * 0x80;
    const uint64_t lower = (word | ones * 0x20) & ~high;
    const uint64_t from_a = lower + ones * (0x80 - 'a');
    const uint64_t past_z = lower + ones * (0x80 - 'z' - 1);
    const uint64_t no = ~(from_a & ~past_z & ~word) & high;
    /* Gathers the eight bits into the top byte: byte i moves by 56 - 7 i. */
    return (unsigned)((no >> 7) * UINT64_C(0x0102040810204080) >> 56);
}

/* The first n <= 15 bytes and n itself, as the cache compares them. */
static inline struct key key_of(uint64_t low, uint64_t high, size_t n)
{
    const uint64_t keep = ~(UINT64_MAX << (8 * (n & 7)));
    const struct key key = {n < 8 ? low & keep : low,
                            (n < 8 ? 0 : high & keep) | (uint64_t)n << 56};
    return key;
}

static inline struct encode_set *set_of(const struct encode *e, struct key key)
{
    const uint64_t h =
        (key.low ^ (key.high << 23 | key.high >> 41) * UINT64_C(0xd6e8feb86659fd93)) *
        UINT64_C(0x9e3779b97f4a7c15);
    return &e->cache[h >> e->cache_shift];
}

/* ---- pieces ---------------------------------------------------------------------------------- */

/* Merges a piece that is not in its set, and puts it there if it fits. */
static size_t encode_new(struct encode *e, const unsigned char *piece, size_t n, struct key key,
                         struct encode_set *set, uint32_t *out)
{
    const size_t n_tok = bpe_encode(&e->tokenizer->vocab, piece, n, out);
    if (n_tok <= MAX_TOKENS) {
        set->way[1] = set->way[0];
        set->way[0].low = key.low;
        set->way[0].high = key.high | (uint64_t)n_tok << COUNT_SHIFT;
        memcpy(set->way[0].tok, out, n_tok * sizeof *out);
    }
    return n_tok;
}

/* Tokens of a piece of at most 15 bytes into out [n + SLACK]. */
static inline size_t encode_short(struct encode *e, const unsigned char *piece, size_t n,
                                  struct key key, uint32_t *out)
{
    struct encode_set *const set = set_of(e, key);
    const struct encode_entry *entry = &set->way[0];
    if (entry->low != key.low || (entry->high & ~COUNT_MASK) != key.high) {
        const struct encode_entry first = *entry;
        entry = &set->way[1];
        if (entry->low != key.low || (entry->high & ~COUNT_MASK) != key.high) {
            return encode_new(e, piece, n, key, set, out);
        }
        set->way[0] = *entry;
        set->way[1] = first;
        entry = &set->way[0];
    }
    memcpy(out, entry->tok, sizeof entry->tok);
    return entry->high >> COUNT_SHIFT;
}

/* Of a piece that goes on behind the n bytes given, the tokens that are settled, window by window;
 * *n_used bytes. Leaves less than a window, or what cannot be settled yet. */
static gpt2c_status encode_windows(struct encode *e, const unsigned char *piece, size_t n,
                                   uint32_t *out, size_t *n_out, size_t *n_used, gpt2c_error *err)
{
    const struct bpe_long *tables = NULL;
    size_t window = WINDOW;
    gpt2c_status st = GPT2C_OK;
    *n_out = 0;
    *n_used = 0;
    if (n > WINDOW) {
        st = tokenizer_long_tables(e->tokenizer, &tables, err);
    }
    while (!st && n - *n_used > WINDOW) {
        const size_t left = n - *n_used;
        const size_t n_now = left < window ? left : window;
        size_t n_tok = 0;
        size_t n_settled = 0;
        size_t n_bytes = 0;
        st =
            bpe_long_encode(tables, &e->scratch, piece + *n_used, n_now, out + *n_out, &n_tok, err);
        if (!st) {
            st = bpe_long_settled(tables, &e->scratch, piece + *n_used, n_now,
                                  e->class != PRETOKENIZE_OTHER, out + *n_out, n_tok, &n_settled,
                                  &n_bytes, err);
        }
        if (n_settled == 0 && n_now == left) {
            break;
        }
        window = n_settled == 0 ? 2 * window : WINDOW;
        *n_out += n_settled;
        *n_used += n_bytes;
    }
    return st;
}

static gpt2c_status encode_long(struct encode *e, const unsigned char *piece, size_t n,
                                uint32_t *out, size_t *n_out, gpt2c_error *err)
{
    const struct bpe_long *tables = NULL;
    size_t n_used = 0;
    size_t n_rest = 0;
    gpt2c_status st = tokenizer_long_tables(e->tokenizer, &tables, err);
    if (!st) {
        st = encode_windows(e, piece, n, out, n_out, &n_used, err);
    }
    if (!st) {
        st = bpe_long_encode(tables, &e->scratch, piece + n_used, n - n_used, out + *n_out, &n_rest,
                             err);
    }
    *n_out += n_rest;
    return st;
}

/* Tokens of a piece into out [n + SLACK]; n may be 0, the end of one that was open. */
static gpt2c_status encode_piece(struct encode *e, const unsigned char *piece, size_t n,
                                 uint32_t *out, size_t *n_out, gpt2c_error *err)
{
    if (n == 0) {
        return GPT2C_OK;
    }
    if (n <= MAX_CACHED) {
        unsigned char bytes[KEY_BYTES] = {0};
        memcpy(bytes, piece, n);
        *n_out = encode_short(e, piece, n, key_of(load_word(bytes), load_word(bytes + 8), n), out);
        return GPT2C_OK;
    }
    if (n <= BPE_SHORT) {
        *n_out = bpe_encode(&e->tokenizer->vocab, piece, n, out);
        return GPT2C_OK;
    }
    return encode_long(e, piece, n, out, n_out, err);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Words: an optional space and ASCII letters, as long as they come one after the other and are in
 * sight as a whole. Returns where that ends. */
static const unsigned char *encode_words(struct encode *e, const unsigned char *p,
                                         const unsigned char *end, uint32_t **out)
{
    while (end - p > KEY_BYTES) {
        const uint64_t low = load_word(p);
        const uint64_t high = load_word(p + 8);
        const bool space = *p == ' ';
        /* The space counts as a letter here; the bit past the end stops the count. */
        const unsigned stops =
            (not_letters(low) & ~(unsigned)space) | not_letters(high) << 8 | 1u << KEY_BYTES;
        const size_t n = (size_t)__builtin_ctz(stops);
        if (n <= space || n > MAX_CACHED || p[n] >= 0x80) {
            break;
        }
        *out += encode_short(e, p, n, key_of(low, high, n), *out);
        p += n;
    }
    return p;
}

/* All pieces of [p, end) that cannot change any more. */
static gpt2c_status encode_block(struct encode *e, const unsigned char *p, const unsigned char *end,
                                 bool final, uint32_t *out, size_t *n_out, size_t *n_used,
                                 gpt2c_error *err)
{
    const unsigned char *const begin = p;
    uint32_t *const out_begin = out;
    gpt2c_status st = GPT2C_OK;
    while (p < end) {
        size_t n_tok = 0;
        size_t n = 0;
        if (!e->open) {
            p = encode_words(e, p, end, &out);
            if (p == end) {
                break;
            }
            n = pretokenize_piece(p, end, &e->class);
        } else {
            n = pretokenize_rest(p, end, e->class);
        }
        if (!final && (size_t)(end - p) < n + PRETOKENIZE_LOOKAHEAD) {
            n = n > PRETOKENIZE_LOOKAHEAD ? n - PRETOKENIZE_LOOKAHEAD : 0;
            st = encode_windows(e, p, n, out, &n_tok, &n, err);
            e->open = e->open || n > 0;
            out += n_tok;
            p += n;
            break;
        }
        st = encode_piece(e, p, n, out, &n_tok, err);
        if (st) {
            break;
        }
        e->open = false;
        out += n_tok;
        p += n;
    }
    *n_out = (size_t)(out - out_begin);
    *n_used = (size_t)(p - begin);
    return st;
}

static gpt2c_status reserve(struct encode *e, size_t n_block, gpt2c_error *err)
{
    const size_t need = n_block + SLACK;
    if (e->cap_out < need) {
        free(e->out);
        e->out = malloc(need * sizeof *e->out);
        e->cap_out = e->out ? need : 0;
    }
    return e->out ? GPT2C_OK
                  : status_fail(err, GPT2C_E_NOMEM, "no memory to encode %zu bytes", n_block);
}

static gpt2c_status emit(const uint32_t *tok, size_t n_tok, gpt2c_tokens_fn fn, void *user,
                         gpt2c_error *err)
{
    if (n_tok > 0 && fn(user, (const gpt2c_token *)tok, n_tok)) {
        return status_fail(err, GPT2C_E_CANCELLED, "encoding was cancelled");
    }
    return GPT2C_OK;
}

/* Ordinary text without special tokens, block by block. */
static gpt2c_status encode_segment(struct encode *e, const unsigned char *text, size_t n,
                                   bool final, gpt2c_tokens_fn fn, void *user, size_t *n_used,
                                   gpt2c_error *err)
{
    gpt2c_status st = GPT2C_OK;
    size_t block = ENCODE_BLOCK;
    *n_used = 0;
    while (!st && *n_used < n) {
        const size_t left = n - *n_used;
        const size_t n_block = left < block ? left : block;
        size_t n_out = 0;
        size_t n_done = 0;
        st = reserve(e, n_block, err);
        if (!st) {
            st = encode_block(e, text + *n_used, text + *n_used + n_block, final && n_block == left,
                              e->out, &n_out, &n_done, err);
        }
        if (!st) {
            st = emit(e->out, n_out, fn, user, err);
        }
        if (!st && n_done == 0) {
            if (n_block == left) {
                break;
            }
            if (block >= ENCODE_MAX_BLOCK) {
                return status_fail(err, GPT2C_E_NOMEM,
                                   "byte %llu: more than %zu MB of text without a place to cut it",
                                   (unsigned long long)e->pos, ENCODE_MAX_BLOCK >> 20);
            }
        }
        block = n_done == 0 ? 2 * block : ENCODE_BLOCK;
        *n_used += n_done;
        e->pos += n_done;
    }
    return st;
}

gpt2c_status encode_text(struct encode *e, const unsigned char *text, size_t n, bool final,
                         gpt2c_tokens_fn fn, void *user, size_t *n_used, gpt2c_error *err)
{
    const struct vocab *const v = &e->tokenizer->vocab;
    const unsigned char *p = text;
    const unsigned char *const end = n ? text + n : text;
    gpt2c_status st = GPT2C_OK;
    while (!st && p < end) {
        uint32_t id = VOCAB_NONE;
        const unsigned char *const stop =
            e->special == GPT2C_SPECIAL_TEXT
                ? end
                : tokenizer_find_special(e->tokenizer, p, end, final, &id);
        const size_t n_segment = (size_t)(stop - p);
        const bool ends = id != VOCAB_NONE || (final && stop == end);
        size_t n_done = 0;
        st = encode_segment(e, p, n_segment, ends, fn, user, &n_done, err);
        p += n_done;
        if (st || n_done < n_segment || id == VOCAB_NONE) {
            break;
        }
        if (e->special == GPT2C_SPECIAL_ERROR) {
            st = tokenizer_refuse_special(e->tokenizer, id, e->pos, err);
            break;
        }
        vocab_bytes(v, id, &n_done);
        st = emit(&id, 1, fn, user, err);
        p += n_done;
        e->pos += n_done;
        e->open = false;
    }
    *n_used = (size_t)(p - text);
    return st;
}
