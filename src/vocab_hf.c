/* tokenizer.json as Hugging Face writes it for GPT-2. What changes ids and is not implemented here
 * is refused by name: normalizers, other pre-tokenizers, post-processors that add tokens, dropout.
 * How batches are cut or padded does not concern a single text and is passed over. */
#include "vocab_builder.h"

#include "jsonscan.h"
#include "mapfile.h"
#include "status.h"

#include <string.h>

struct hf {
    struct jsonscan scan;
    struct vocab_builder builder;
    struct vocab *vocab;
    /* Where the large parts begin: they are read in an order that the file need not have. */
    const unsigned char *added, *model, *tokens, *merges;
    const char *part; /* the part at hand, for messages */
    bool has_type, has_pre_tokenizer;
};

/* Reads the value of the key that is scan.text. */
typedef gpt2c_status (*hf_field_fn)(struct hf *hf, gpt2c_error *err);

static gpt2c_status read_object(struct hf *hf, hf_field_fn field, gpt2c_error *err)
{
    size_t n = 0;
    bool more = true;
    gpt2c_status st = jsonscan_expect(&hf->scan, '{', err);
    while (!st) {
        st = jsonscan_next(&hf->scan, '}', &n, &more, err);
        if (st || !more) {
            break;
        }
        st = jsonscan_key(&hf->scan, err);
        if (!st) {
            st = field(hf, err);
        }
    }
    return st;
}

static gpt2c_status refuse(const struct hf *hf, const char *what, gpt2c_error *err)
{
    return status_fail(err, GPT2C_E_UNSUPPORTED, "%s: %s: %s is not implemented", hf->scan.file,
                       hf->part, what);
}

/* ---- fields that must have a value ----------------------------------------------------------- */

static gpt2c_status must_be_null(struct hf *hf, const char *what, gpt2c_error *err)
{
    int word = 0;
    if (jsonscan_peek(&hf->scan) != 'n') {
        return refuse(hf, what, err);
    }
    return jsonscan_word(&hf->scan, &word, err);
}

static gpt2c_status must_be_bool(struct hf *hf, bool want, const char *what, gpt2c_error *err)
{
    int word = 0;
    const gpt2c_status st = jsonscan_word(&hf->scan, &word, err);
    return st || word == want || word < 0 ? st : refuse(hf, what, err);
}

static gpt2c_status must_be_empty(struct hf *hf, const char *what, gpt2c_error *err)
{
    if (jsonscan_peek(&hf->scan) == 'n') {
        return must_be_null(hf, what, err);
    }
    const gpt2c_status st = jsonscan_string(&hf->scan, err);
    return st || hf->scan.n_text == 0 ? st : refuse(hf, what, err);
}

static gpt2c_status must_be_type(struct hf *hf, const char *type, gpt2c_error *err)
{
    const gpt2c_status st = jsonscan_string(&hf->scan, err);
    hf->has_type = true;
    if (st || jsonscan_is(&hf->scan, type)) {
        return st;
    }
    return status_fail(err, GPT2C_E_UNSUPPORTED,
                       "%s: %s: type \"%.*s\" is not implemented, expected \"%s\"", hf->scan.file,
                       hf->part, (int)(hf->scan.n_text < 64 ? hf->scan.n_text : 64), hf->scan.text,
                       type);
}

/* ---- the small parts ------------------------------------------------------------------------- */

static gpt2c_status read_byte_level(struct hf *hf, gpt2c_error *err)
{
    if (jsonscan_is(&hf->scan, "type")) {
        return must_be_type(hf, "ByteLevel", err);
    }
    /* Only before splitting do these change ids. */
    if (strcmp(hf->part, "pre_tokenizer") == 0) {
        if (jsonscan_is(&hf->scan, "add_prefix_space")) {
            return must_be_bool(hf, false, "add_prefix_space", err);
        }
        if (jsonscan_is(&hf->scan, "use_regex")) {
            return must_be_bool(hf, true, "use_regex: false", err);
        }
    }
    return jsonscan_skip(&hf->scan, err);
}

static gpt2c_status read_part(struct hf *hf, const char *part, bool may_be_null, gpt2c_error *err)
{
    hf->part = part;
    hf->has_type = false;
    if (jsonscan_peek(&hf->scan) == 'n') {
        return may_be_null ? must_be_null(hf, part, err) : refuse(hf, "null", err);
    }
    const gpt2c_status st = read_object(hf, read_byte_level, err);
    return st || hf->has_type ? st : refuse(hf, "a part without a type", err);
}

static gpt2c_status remember(struct hf *hf, const unsigned char **where, gpt2c_error *err)
{
    if (*where) {
        return jsonscan_fail(&hf->scan, "the key stands there twice", err);
    }
    *where = hf->scan.p;
    return jsonscan_skip(&hf->scan, err);
}

static gpt2c_status read_top(struct hf *hf, gpt2c_error *err)
{
    static const char *const parts[] = {"pre_tokenizer", "post_processor", "decoder"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (jsonscan_is(&hf->scan, parts[i])) {
            hf->has_pre_tokenizer = hf->has_pre_tokenizer || i == 0;
            return read_part(hf, parts[i], i > 0, err);
        }
    }
    if (jsonscan_is(&hf->scan, "normalizer")) {
        hf->part = "normalizer";
        return must_be_null(hf, "a normalizer", err);
    }
    if (jsonscan_is(&hf->scan, "added_tokens")) {
        return remember(hf, &hf->added, err);
    }
    if (jsonscan_is(&hf->scan, "model")) {
        return remember(hf, &hf->model, err);
    }
    return jsonscan_skip(&hf->scan, err);
}

static gpt2c_status read_model(struct hf *hf, gpt2c_error *err)
{
    static const char *const empty[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    static const char *const off[] = {"byte_fallback", "ignore_merges"};
    for (size_t i = 0; i < 2; i++) {
        if (jsonscan_is(&hf->scan, empty[i])) {
            return must_be_empty(hf, empty[i], err);
        }
        if (jsonscan_is(&hf->scan, off[i])) {
            return must_be_bool(hf, false, off[i], err);
        }
    }
    if (jsonscan_is(&hf->scan, "type")) {
        return must_be_type(hf, "BPE", err);
    }
    if (jsonscan_is(&hf->scan, "dropout")) {
        return must_be_null(hf, "dropout", err);
    }
    if (jsonscan_is(&hf->scan, "vocab")) {
        return remember(hf, &hf->tokens, err);
    }
    if (jsonscan_is(&hf->scan, "merges")) {
        return remember(hf, &hf->merges, err);
    }
    return jsonscan_skip(&hf->scan, err);
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static gpt2c_status read_token(struct hf *hf, gpt2c_error *err)
{
    /* The number behind the key leaves scan.text as it is. */
    uint32_t id = 0;
    const gpt2c_status st = jsonscan_uint(&hf->scan, INT32_MAX, &id, err);
    return st ? st : vocab_builder_token(&hf->builder, hf->scan.text, hf->scan.n_text, id, err);
}

struct added {
    char text[VOCAB_MAX_TOKEN_BYTES];
    size_t n_text;
    uint32_t id;
    bool has_id;
};

static gpt2c_status read_added_field(struct hf *hf, struct added *added, gpt2c_error *err)
{
    static const char *const off[] = {"single_word", "lstrip", "rstrip"};
    for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
        if (jsonscan_is(&hf->scan, off[i])) {
            return must_be_bool(hf, false, off[i], err);
        }
    }
    if (jsonscan_is(&hf->scan, "id")) {
        added->has_id = true;
        return jsonscan_uint(&hf->scan, INT32_MAX, &added->id, err);
    }
    if (jsonscan_is(&hf->scan, "content")) {
        const gpt2c_status st = jsonscan_string(&hf->scan, err);
        if (!st && hf->scan.n_text > sizeof added->text) {
            return refuse(hf, "a token this long", err);
        }
        if (!st) {
            added->n_text = hf->scan.n_text;
            memcpy(added->text, hf->scan.text, added->n_text);
        }
        return st;
    }
    return jsonscan_skip(&hf->scan, err);
}

static gpt2c_status read_added_token(struct hf *hf, gpt2c_error *err)
{
    struct added added = {.n_text = 0};
    size_t n = 0;
    bool more = true;
    gpt2c_status st = jsonscan_expect(&hf->scan, '{', err);
    while (!st) {
        st = jsonscan_next(&hf->scan, '}', &n, &more, err);
        if (st || !more) {
            break;
        }
        st = jsonscan_key(&hf->scan, err);
        if (!st) {
            st = read_added_field(hf, &added, err);
        }
    }
    if (!st && (added.n_text == 0 || !added.has_id)) {
        st = jsonscan_fail(&hf->scan, "an added token without id or content", err);
    }
    return st ? st : vocab_builder_added(&hf->builder, added.text, added.n_text, added.id, err);
}

static gpt2c_status read_added(struct hf *hf, gpt2c_error *err)
{
    size_t n = 0;
    bool more = true;
    hf->part = "added_tokens";
    hf->scan.p = hf->added;
    gpt2c_status st = jsonscan_expect(&hf->scan, '[', err);
    while (!st) {
        st = jsonscan_next(&hf->scan, ']', &n, &more, err);
        if (st || !more) {
            break;
        }
        st = n > VOCAB_MAX_SPECIALS ? refuse(hf, "so many added tokens", err)
                                    : read_added_token(hf, err);
    }
    return st;
}

/* ---- merges ---------------------------------------------------------------------------------- */

/* Both texts into hf->builder; the first is copied because the second overwrites it. */
static gpt2c_status read_pair(struct hf *hf, gpt2c_error *err)
{
    char left[2 * VOCAB_MAX_TOKEN_BYTES];
    gpt2c_status st = jsonscan_expect(&hf->scan, '[', err);
    if (!st) {
        st = jsonscan_string(&hf->scan, err);
    }
    if (!st && hf->scan.n_text > sizeof left) {
        st = refuse(hf, "a token this long", err);
    }
    if (st) {
        return st;
    }
    const size_t n_left = hf->scan.n_text;
    memcpy(left, hf->scan.text, n_left);
    st = jsonscan_expect(&hf->scan, ',', err);
    if (!st) {
        st = jsonscan_string(&hf->scan, err);
    }
    if (!st) {
        st = jsonscan_expect(&hf->scan, ']', err);
    }
    return st ? st
              : vocab_builder_merge(&hf->builder, left, n_left, hf->scan.text, hf->scan.n_text,
                                    err);
}

static gpt2c_status read_line(struct hf *hf, gpt2c_error *err)
{
    const gpt2c_status st = jsonscan_string(&hf->scan, err);
    return st ? st : vocab_builder_line(&hf->builder, hf->scan.text, hf->scan.n_text, err);
}

static gpt2c_status read_merges(struct hf *hf, gpt2c_error *err)
{
    size_t n = 0;
    bool more = true;
    hf->part = "merges";
    hf->builder.unit = "merge";
    hf->scan.p = hf->merges;
    gpt2c_status st = jsonscan_expect(&hf->scan, '[', err);
    while (!st) {
        st = jsonscan_next(&hf->scan, ']', &n, &more, err);
        if (st || !more) {
            break;
        }
        hf->builder.number = n;
        st = jsonscan_peek(&hf->scan) == '[' ? read_pair(hf, err) : read_line(hf, err);
    }
    return st;
}

/* No fewer than there are merges: each has two quotes of its own at least. */
static size_t bound_merges(const struct hf *hf, size_t n_bytes)
{
    const unsigned char *p = hf->merges;
    const unsigned char *const end = hf->scan.begin + n_bytes;
    size_t n = 0;
    while (p < end && (p = memchr(p, '"', (size_t)(end - p))) != NULL) {
        n++;
        p++;
    }
    return n / 2 + 1;
}

/* ---- file ------------------------------------------------------------------------------------ */

static gpt2c_status load(struct hf *hf, const struct mapfile *file, gpt2c_error *err)
{
    gpt2c_status st = read_object(hf, read_top, err);
    if (!st) {
        st = jsonscan_end(&hf->scan, err);
    }
    if (!st && !hf->model) {
        st = jsonscan_fail(&hf->scan, "no \"model\"", err);
    }
    if (!st && !hf->has_pre_tokenizer) {
        hf->part = "pre_tokenizer";
        st = refuse(hf, "none", err);
    }
    if (!st) {
        hf->part = "model";
        hf->scan.p = hf->model;
        st = read_object(hf, read_model, err);
    }
    if (!st && (!hf->tokens || !hf->merges)) {
        st = jsonscan_fail(&hf->scan, "the model has no \"vocab\" or no \"merges\"", err);
    }
    if (!st) {
        st = vocab_builder_init(&hf->builder, hf->vocab, file->n_bytes, err);
    }
    if (!st) {
        hf->scan.p = hf->tokens;
        st = read_object(hf, read_token, err);
    }
    hf->builder.has_added = true;
    if (!st && hf->added) {
        st = read_added(hf, err);
    }
    if (!st) {
        st = vocab_builder_seal(&hf->builder, bound_merges(hf, file->n_bytes), err);
    }
    if (!st) {
        st = read_merges(hf, err);
    }
    return st ? st : vocab_builder_finish(&hf->builder, err);
}

gpt2c_status vocab_hf_load(struct vocab *vocab, const char *tokenizer_json, gpt2c_error *err)
{
    struct mapfile file = {0};
    struct hf hf = {.vocab = vocab,
                    .builder = {.tokens_file = tokenizer_json, .merges_file = tokenizer_json}};
    *vocab = (struct vocab){.n_vocab = 0};
    gpt2c_status st = mapfile_open(&file, tokenizer_json, false, VOCAB_MAX_FILE_BYTES, err);
    if (!st) {
        jsonscan_init(&hf.scan, file.data, file.n_bytes, tokenizer_json);
        st = load(&hf, &file, err);
    }
    jsonscan_free(&hf.scan);
    vocab_builder_free(&hf.builder);
    mapfile_close(&file);
    return st;
}
