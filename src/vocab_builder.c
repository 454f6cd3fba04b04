/* Builds the vocabulary from tokens and merges as they stream in. Every table is sized once, when
 * the number of its entries is known. Refused: ids with holes, twice the same token or merge, a
 * merge of or to a token that is not there, a token that nothing makes, a byte without a token. */
#include "vocab_builder.h"

#include "status.h"
#include "utf8.h"
#include "vocab_names.h"

#include <stdlib.h>

static const char end_of_text[] = "<|endoftext|>";

static gpt2c_status no_memory(const struct vocab_builder *b, gpt2c_error *err)
{
    return status_fail(err, GPT2C_E_NOMEM, "%s: no memory for the vocabulary", b->tokens_file);
}

/* Printable bytes stand for themselves, the 68 others for U+0100 … U+0143 in their order. */
static void map_bytes(struct vocab_builder *b)
{
    uint16_t next = 0x100;
    for (unsigned byte = 0; byte < 256; byte++) {
        const bool printable =
            (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
        const uint16_t cp = printable ? (uint16_t)byte : next++;
        b->vocab->byte_char[byte] = cp;
        b->char_byte[cp] = (uint8_t)byte;
        b->char_known[cp] = true;
    }
}

gpt2c_status vocab_builder_init(struct vocab_builder *b, struct vocab *vocab, size_t tokens_bytes,
                                gpt2c_error *err)
{
    b->vocab = vocab;
    b->cap_entries = tokens_bytes / strlen("\"\":0,") + 1;
    b->cap_bytes = tokens_bytes;
    b->entries = calloc(b->cap_entries, sizeof *b->entries);
    b->bytes = malloc(b->cap_bytes + 1);
    map_bytes(b);
    vocab->eos = VOCAB_NONE;
    return b->entries && b->bytes ? GPT2C_OK : no_memory(b, err);
}

void vocab_builder_free(struct vocab_builder *b)
{
    free(b->entries);
    free(b->bytes);
    free(b->scratch);
    memset(b, 0, sizeof *b);
}

/* Bytes that the characters of text stand for, into out [n_text]; *raw: some stand for none. */
static size_t unmap(const struct vocab_builder *b, const char *text, size_t n_text,
                    unsigned char *out, bool *raw)
{
    const unsigned char *p = (const unsigned char *)text;
    const unsigned char *const end = p + n_text;
    size_t n = 0;
    *raw = false;
    while (p < end) {
        uint32_t cp = *p;
        const size_t n_char = cp < 0x80 ? 1 : utf8_decode(p, end, &cp);
        if (n_char == 0 || cp >= sizeof b->char_byte || !b->char_known[cp]) {
            *raw = true;
            return 0;
        }
        out[n++] = b->char_byte[cp];
        p += n_char;
    }
    return n;
}

static gpt2c_status add_entry(struct vocab_builder *b, const char *text, size_t n_text, uint32_t id,
                              bool added, gpt2c_error *err)
{
    if (b->n_entries == b->cap_entries || n_text > b->cap_bytes - b->n_bytes) {
        return no_memory(b, err);
    }
    struct vocab_entry *const e = &b->entries[b->n_entries++];
    e->id = id;
    e->at = (uint32_t)b->n_bytes;
    unsigned char *const bytes = b->bytes + b->n_bytes;
    bool raw = added;
    size_t n = raw ? 0 : unmap(b, text, n_text, bytes, &raw);
    if (raw) {
        memcpy(bytes, text, n_text);
        n = n_text;
    }
    e->raw = raw;
    e->added = added;
    e->n_bytes = (uint32_t)n & ((1u << 30) - 1);
    b->n_bytes += n;
    return GPT2C_OK;
}

gpt2c_status vocab_builder_token(struct vocab_builder *b, const char *text, size_t n_text,
                                 uint32_t id, gpt2c_error *err)
{
    if (n_text == 0) {
        return status_fail(err, GPT2C_E_FORMAT, "%s: token %u is empty", b->tokens_file, id);
    }
    return add_entry(b, text, n_text, id, false, err);
}

gpt2c_status vocab_builder_added(struct vocab_builder *b, const char *text, size_t n_text,
                                 uint32_t id, gpt2c_error *err)
{
    struct vocab_entry *e = NULL;
    for (size_t i = 0; i < b->n_entries && !e; i++) {
        e = b->entries[i].id == id ? &b->entries[i] : NULL;
    }
    if (!e) {
        return add_entry(b, text, n_text, id, true, err);
    }
    bool raw = false;
    unsigned char *const bytes = b->bytes + b->n_bytes;
    if (n_text > b->cap_bytes - b->n_bytes) {
        return no_memory(b, err);
    }
    size_t n = unmap(b, text, n_text, bytes, &raw);
    if (raw) {
        memcpy(bytes, text, n_text);
        n = n_text;
    }
    if (raw != e->raw || n != e->n_bytes || memcmp(bytes, b->bytes + e->at, n) != 0) {
        return status_fail(
            err, GPT2C_E_FORMAT,
            "%s: added token \"%.*s\" has id %u, which the vocabulary gives to another",
            b->tokens_file, (int)(n_text < 64 ? n_text : 64), text, id);
    }
    memcpy(bytes, text, n_text);
    e->at = (uint32_t)b->n_bytes;
    e->n_bytes = (uint32_t)n_text & ((1u << 30) - 1);
    e->raw = true;
    e->added = true;
    b->n_bytes += n_text;
    return GPT2C_OK;
}

/* ids are 0 … n-1, each once; tokens' bytes into one block in their order. */
static gpt2c_status order_tokens(struct vocab_builder *b, gpt2c_error *err)
{
    struct vocab *const v = b->vocab;
    uint32_t at = 0;
    for (uint32_t i = 0; i < v->n_vocab; i++) {
        const struct vocab_entry *const e = &b->entries[i];
        if (e->id >= v->n_vocab) {
            return status_fail(
                err, GPT2C_E_FORMAT,
                "%s: id %u is too large: there are %u tokens, ids must have no holes",
                b->tokens_file, e->id, v->n_vocab);
        }
        if (v->begin[e->id]) {
            return status_fail(err, GPT2C_E_FORMAT, "%s: id %u is given twice", b->tokens_file,
                               e->id);
        }
        if (e->n_bytes > VOCAB_MAX_TOKEN_BYTES) {
            return status_fail(err, GPT2C_E_UNSUPPORTED, "%s: token %u has %u bytes, more than %d",
                               b->tokens_file, e->id, e->n_bytes, VOCAB_MAX_TOKEN_BYTES);
        }
        v->begin[e->id] = i + 1;
    }
    for (uint32_t id = 0; id < v->n_vocab; id++) {
        const struct vocab_entry *const e = &b->entries[v->begin[id] - 1];
        memcpy(v->bytes + at, b->bytes + e->at, e->n_bytes);
        v->begin[id] = at;
        v->origin[id] = e->added ? VOCAB_ORIGIN_SPECIAL
                        : e->raw ? VOCAB_ORIGIN_RAW
                                 : VOCAB_ORIGIN_NONE;
        at += e->n_bytes;
    }
    v->begin[v->n_vocab] = at;
    return GPT2C_OK;
}

/* The token as the files write it, for messages; cut to fit. */
static const char *show(const struct vocab *v, const unsigned char *bytes, size_t n, char out[200])
{
    size_t at = 0;
    for (size_t i = 0; i < n && at < 190; i++) {
        at += utf8_encode(v->byte_char[bytes[i]], out + at);
    }
    out[at] = '\0';
    return out;
}

static const char *show_raw(const unsigned char *bytes, size_t n, char out[200])
{
    const size_t n_out = n < 190 ? n : 190;
    memcpy(out, bytes, n_out);
    out[n_out] = '\0';
    return out;
}

static gpt2c_status name_tokens(struct vocab_builder *b, gpt2c_error *err)
{
    struct vocab *const v = b->vocab;
    for (uint32_t id = 0; id < v->n_vocab; id++) {
        char text[200];
        size_t n = 0;
        uint32_t tag = 0;
        const unsigned char *const bytes = vocab_bytes(v, id, &n);
        if (v->origin[id] != VOCAB_ORIGIN_NONE) {
            continue;
        }
        uint32_t *const slot = vocab_names_slot(v, bytes, n, &tag);
        if (!slot) {
            return status_fail(err, GPT2C_E_FORMAT, "%s: tokens chosen to collide", b->tokens_file);
        }
        if (*slot) {
            return status_fail(err, GPT2C_E_FORMAT, "%s: token \"%s\" has two ids, %u and %u",
                               b->tokens_file, show(v, bytes, n, text), vocab_names_id(*slot), id);
        }
        *slot = tag | (id + 1);
        if (n == 1) {
            v->byte_token[bytes[0]] = id;
            v->origin[id] = VOCAB_ORIGIN_BYTE;
        }
    }
    return GPT2C_OK;
}

static gpt2c_status check_bytes(const struct vocab_builder *b, gpt2c_error *err)
{
    const struct vocab *const v = b->vocab;
    for (unsigned byte = 0; byte < 256; byte++) {
        if (v->byte_token[byte] == VOCAB_NONE) {
            return status_fail(err, GPT2C_E_UNSUPPORTED,
                               "%s: no token for byte 0x%02x: not a byte-level vocabulary",
                               b->tokens_file, byte);
        }
    }
    return GPT2C_OK;
}

static void carve_tables(struct vocab *v, size_t n_bytes, size_t n_merges)
{
    struct arena *const a = &v->tables;
    v->names = arena_carve(a, (size_t)1 << (64 - v->names_shift), sizeof *v->names);
    v->pairs = arena_carve(a, (size_t)1 << (64 - v->pairs_shift), sizeof *v->pairs);
    v->pairs_filter = arena_carve(a, (size_t)1 << VOCAB_FILTER_BITS >> 6, sizeof *v->pairs_filter);
    v->byte_pairs = arena_carve(a, 256 * 256, sizeof *v->byte_pairs);
    v->begin = arena_carve(a, (size_t)v->n_vocab + 1, sizeof *v->begin);
    v->made = arena_carve(a, n_merges, sizeof *v->made);
    v->origin = arena_carve(a, v->n_vocab, sizeof *v->origin);
    v->specials = arena_carve(a, VOCAB_MAX_SPECIALS, sizeof *v->specials);
    v->bytes = arena_carve(a, n_bytes + VOCAB_NAMES_PADDING, sizeof *v->bytes);
}

gpt2c_status vocab_builder_seal(struct vocab_builder *b, size_t n_merges, gpt2c_error *err)
{
    struct vocab *const v = b->vocab;
    if (b->n_entries >= (size_t)1 << VOCAB_ID_BITS || n_merges >= (size_t)1 << VOCAB_RANK_BITS) {
        return status_fail(err, GPT2C_E_UNSUPPORTED, "%s: more than %u tokens or %u merges",
                           b->tokens_file, (1u << VOCAB_ID_BITS) - 1, (1u << VOCAB_RANK_BITS) - 1);
    }
    v->n_vocab = (uint32_t)b->n_entries;
    v->names_shift = vocab_table_shift(b->n_entries);
    v->pairs_shift = vocab_table_shift(n_merges);
    carve_tables(v, b->n_bytes, n_merges);
    gpt2c_status st = arena_allocate(&v->tables, b->tokens_file, err);
    if (st) {
        return st;
    }
    carve_tables(v, b->n_bytes, n_merges);
    memset(v->pairs, 0xff, sizeof *v->pairs << (64 - v->pairs_shift));
    memset(v->byte_pairs, 0xff, 256 * 256 * sizeof *v->byte_pairs);
    memset(v->byte_token, 0xff, sizeof v->byte_token);
    st = order_tokens(b, err);
    if (!st) {
        st = name_tokens(b, err);
    }
    return st ? st : check_bytes(b, err);
}

/* ---- merges ---------------------------------------------------------------------------------- */

static gpt2c_status fail_merge(const struct vocab_builder *b, const char *what, const char *left,
                               size_t n_left, const char *right, size_t n_right, gpt2c_error *err)
{
    return status_fail(err, GPT2C_E_FORMAT, "%s: %s %zu: \"%.*s\" and \"%.*s\": %s", b->merges_file,
                       b->unit, b->number, (int)(n_left < 80 ? n_left : 80), left,
                       (int)(n_right < 80 ? n_right : 80), right, what);
}

/* The token with these bytes. Training writes merges in the order of the ids they make, so the next
 * id is most often the one: tried first, it saves a probe far away. */
static uint32_t find_made(const struct vocab *v, const unsigned char *bytes, size_t n_bytes)
{
    const uint32_t next = v->n_merges ? v->made[v->n_merges - 1] + 1 : 256;
    if (next < v->n_vocab && v->origin[next] == VOCAB_ORIGIN_NONE) {
        size_t n = 0;
        const unsigned char *const found = vocab_bytes(v, next, &n);
        if (n == n_bytes && vocab_names_same(found, bytes, n)) {
            return next;
        }
    }
    return vocab_names_find(v, bytes, n_bytes);
}

/* False when the pair has a rank already, or when probing takes too long. */
static bool insert_pair(struct vocab *v, uint32_t left, uint32_t right)
{
    const uint64_t pair = (uint64_t)left << VOCAB_ID_BITS | right;
    const size_t mask = ((size_t)1 << (64 - v->pairs_shift)) - 1;
    const uint64_t hash = vocab_pair_hash(pair);
    const uint64_t bit = hash >> (64 - VOCAB_FILTER_BITS);
    size_t at = (size_t)(hash >> v->pairs_shift);
    for (int i = 0; i < VOCAB_NAMES_MAX_PROBES; i++) {
        if (v->pairs[at] == UINT64_MAX) {
            v->pairs[at] = pair << VOCAB_RANK_BITS | v->n_merges;
            v->pairs_filter[bit / 64] |= UINT64_C(1) << (bit % 64);
            return true;
        }
        if (v->pairs[at] >> VOCAB_RANK_BITS == pair) {
            return false;
        }
        at = (at + 1) & mask;
    }
    return false;
}

gpt2c_status vocab_builder_merge(struct vocab_builder *b, const char *left, size_t n_left,
                                 const char *right, size_t n_right, gpt2c_error *err)
{
    struct vocab *const v = b->vocab;
    bool raw_left = false;
    bool raw_right = false;
    const size_t need = n_left + n_right + VOCAB_NAMES_PADDING;
    if (need > b->cap_scratch) {
        free(b->scratch);
        b->cap_scratch = 2 * need;
        b->scratch = calloc(b->cap_scratch, 1);
        if (!b->scratch) {
            b->cap_scratch = 0;
            return no_memory(b, err);
        }
    }
    const size_t n_l = unmap(b, left, n_left, b->scratch, &raw_left);
    const size_t n_r = unmap(b, right, n_right, b->scratch + n_l, &raw_right);
    const uint32_t l = n_l ? vocab_names_find(v, b->scratch, n_l) : VOCAB_NONE;
    const uint32_t r = n_r ? vocab_names_find(v, b->scratch + n_l, n_r) : VOCAB_NONE;
    if (l == VOCAB_NONE || r == VOCAB_NONE) {
        return fail_merge(b,
                          l == VOCAB_NONE ? "the first is not a token of the vocabulary"
                                          : "the second is not a token of the vocabulary",
                          left, n_left, right, n_right, err);
    }
    const uint32_t made = find_made(v, b->scratch, n_l + n_r);
    if (made == VOCAB_NONE) {
        return fail_merge(b, "what they make is not a token of the vocabulary", left, n_left, right,
                          n_right, err);
    }
    if (!insert_pair(v, l, r)) {
        return fail_merge(b, "the merge stands there twice", left, n_left, right, n_right, err);
    }
    if (n_l == 1 && n_r == 1) {
        v->byte_pairs[b->scratch[0] << 8 | b->scratch[1]] = v->n_merges;
    }
    v->origin[made] = VOCAB_ORIGIN_MERGE;
    v->made[v->n_merges++] = made;
    return GPT2C_OK;
}

gpt2c_status vocab_builder_line(struct vocab_builder *b, const char *line, size_t n,
                                gpt2c_error *err)
{
    const char *const space = memchr(line, ' ', n);
    const size_t n_left = space ? (size_t)(space - line) : 0;
    const size_t n_right = space ? n - n_left - 1 : 0;
    if (n_left == 0 || n_right == 0 || memchr(space + 1, ' ', n_right)) {
        return status_fail(err, GPT2C_E_FORMAT,
                           "%s: %s %zu: expected two tokens and one space between them",
                           b->merges_file, b->unit, b->number);
    }
    return vocab_builder_merge(b, line, n_left, space + 1, n_right, err);
}

/* ---- specials -------------------------------------------------------------------------------- */

/* Trainers put tokens such as <s> or [PAD] into vocab.json beside those that merges make. */
static bool looks_special(const unsigned char *bytes, size_t n, bool raw)
{
    const bool framed = n > 2 && ((bytes[0] == '<' && bytes[n - 1] == '>') ||
                                  (bytes[0] == '[' && bytes[n - 1] == ']'));
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] <= 0x20 || bytes[i] == 0x7f || (bytes[i] > 0x7f && !raw)) {
            return false;
        }
    }
    return framed;
}

static int compare_specials(const struct vocab *v, uint32_t a, uint32_t b)
{
    size_t n_a = 0;
    size_t n_b = 0;
    const unsigned char *const bytes_a = vocab_bytes(v, a, &n_a);
    const unsigned char *const bytes_b = vocab_bytes(v, b, &n_b);
    if (bytes_a[0] != bytes_b[0]) {
        return bytes_a[0] < bytes_b[0] ? -1 : 1;
    }
    if (n_a != n_b) {
        return n_a > n_b ? -1 : 1;
    }
    return memcmp(bytes_a, bytes_b, n_a);
}

/* Insertion keeps them sorted: there are few. */
static gpt2c_status insert_special(struct vocab_builder *b, uint32_t id, gpt2c_error *err)
{
    struct vocab *const v = b->vocab;
    uint32_t at = v->n_specials;
    if (at == VOCAB_MAX_SPECIALS) {
        return status_fail(err, GPT2C_E_UNSUPPORTED, "%s: more than %d special tokens",
                           b->tokens_file, VOCAB_MAX_SPECIALS);
    }
    while (at > 0 && compare_specials(v, v->specials[at - 1], id) > 0) {
        v->specials[at] = v->specials[at - 1];
        at--;
    }
    if (at > 0 && compare_specials(v, v->specials[at - 1], id) == 0) {
        return status_fail(err, GPT2C_E_FORMAT, "%s: special tokens %u and %u have the same text",
                           b->tokens_file, v->specials[at - 1], id);
    }
    v->specials[at] = id;
    v->n_specials++;
    return GPT2C_OK;
}

/* Which tokens stand for themselves in a text: the added ones, or <|endoftext|> where nothing says.
 */
static gpt2c_status collect_specials(struct vocab_builder *b, gpt2c_error *err)
{
    struct vocab *const v = b->vocab;
    for (uint32_t id = 0; id < v->n_vocab; id++) {
        size_t n = 0;
        const unsigned char *const bytes = vocab_bytes(v, id, &n);
        if (v->origin[id] != VOCAB_ORIGIN_SPECIAL) {
            v->max_bytes = n > v->max_bytes ? (uint32_t)n : v->max_bytes;
            continue;
        }
        const bool is_eos = n == strlen(end_of_text) && memcmp(bytes, end_of_text, n) == 0;
        if (is_eos) {
            v->eos = id;
        }
        if (is_eos || b->has_added) {
            const gpt2c_status st = insert_special(b, id, err);
            if (st) {
                return st;
            }
            v->max_special = n > v->max_special ? (uint32_t)n : v->max_special;
        }
    }
    for (uint32_t i = 0, byte = 0; byte < 256; byte++) {
        v->special_first[byte] = (uint16_t)i;
        while (i < v->n_specials && v->bytes[v->begin[v->specials[i]]] == byte) {
            i++;
        }
        v->special_first[byte + 1] = (uint16_t)i;
    }
    return GPT2C_OK;
}

gpt2c_status vocab_builder_finish(struct vocab_builder *b, gpt2c_error *err)
{
    struct vocab *const v = b->vocab;
    for (uint32_t id = 0; id < v->n_vocab; id++) {
        char text[200];
        size_t n = 0;
        const unsigned char *const bytes = vocab_bytes(v, id, &n);
        if (v->origin[id] != VOCAB_ORIGIN_NONE && v->origin[id] != VOCAB_ORIGIN_RAW) {
            continue;
        }
        if (!looks_special(bytes, n, v->origin[id] == VOCAB_ORIGIN_RAW)) {
            return status_fail(err, GPT2C_E_FORMAT,
                               "%s: token \"%s\" (id %u) is made by no merge of %s", b->tokens_file,
                               v->origin[id] == VOCAB_ORIGIN_RAW ? show_raw(bytes, n, text)
                                                                 : show(v, bytes, n, text),
                               id, b->merges_file);
        }
        v->origin[id] = VOCAB_ORIGIN_SPECIAL;
    }
    return collect_specials(b, err);
}
