/* The tokenizer against tests/golden/tokenizer.txt, which tiktoken and tokenizers have written:
 * every code point in four contexts, the whole vocabulary, fuzz strings, runs of a megabyte. The
 * same texts are made here; the file holds their ids as number and CRC-32. */
#include "check.h"
#include "gpt2c/gpt2c.h"

#include <stdlib.h>

enum { TEXT_MAX = 2 << 20, ATOMS_MAX = 1024 };

static gpt2c_tokenizer *tokenizer;
static gpt2c_encoder *encoder;

/* ---- digests --------------------------------------------------------------------------------- */

struct digest {
    size_t n;
    uint32_t crc;
};

static uint32_t crc_table[256];

static void make_crc_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) {
            c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
        }
        crc_table[i] = c;
    }
}

static int add_tokens(void *user, const gpt2c_token *tok, size_t n_tok)
{
    struct digest *d = user;
    uint32_t crc = ~d->crc;
    for (size_t i = 0; i < n_tok; i++) {
        for (int byte = 0; byte < 4; byte++) {
            crc = crc_table[(crc ^ (uint32_t)tok[i] >> (8 * byte)) & 255] ^ crc >> 8;
        }
    }
    d->crc = ~crc;
    d->n += n_tok;
    return 0;
}

static struct digest current;

static void add_text(const char *text, size_t n)
{
    gpt2c_error err;
    CHECK_INT(gpt2c_encoder_feed(encoder, text, n, &err), GPT2C_OK);
    CHECK_INT(gpt2c_encoder_finish(encoder, &err), GPT2C_OK);
}

static void check_digest(const char *what, size_t n, uint32_t crc)
{
    if (!CHECK(current.n == n && current.crc == crc)) {
        fprintf(stderr, "%s: %zu ids, crc %08x; expected %zu, %08x\n", what, current.n, current.crc,
                n, crc);
    }
    current = (struct digest){0, 0};
}

/* ---- the texts ------------------------------------------------------------------------------- */

static char text[TEXT_MAX];
static size_t n_text;

static void put(const char *bytes, size_t n)
{
    if (n <= TEXT_MAX - n_text) {
        memcpy(text + n_text, bytes, n);
        n_text += n;
    }
}

static void put_char(uint32_t cp)
{
    char c[4];
    size_t n = 0;
    if (cp < 0x80) {
        c[n++] = (char)cp;
    } else {
        const int more = cp < 0x800 ? 1 : cp < 0x10000 ? 2 : 3;
        const unsigned lead[] = {0, 0xc0, 0xe0, 0xf0};
        c[n++] = (char)(lead[more] | cp >> (6 * more));
        for (int i = more - 1; i >= 0; i--) {
            c[n++] = (char)(0x80 | (cp >> (6 * i) & 0x3f));
        }
    }
    put(c, n);
}

static void put_hex(const char *hex)
{
    unsigned byte = 0;
    for (size_t i = 0; hex[i] != '-' && hex[i] && sscanf(hex + i, "%2x", &byte) == 1; i += 2) {
        const char c = (char)byte;
        put(&c, 1);
    }
}

static uint64_t random_state;

static size_t random_below(size_t n) /* splitmix64 */
{
    random_state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = random_state;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (size_t)((z ^ z >> 31) % n);
}

/* ---- the lines of the file ------------------------------------------------------------------- */

static void check_ids(const char *hex, gpt2c_special special, const char *expected)
{
    gpt2c_error err;
    char found[8192] = "-";
    size_t n = 0;
    size_t n_tok = 0;
    n_text = 0;
    put_hex(hex);
    gpt2c_token *tok = malloc((n_text + 1) * sizeof *tok);
    CHECK_INT(
        gpt2c_tokenizer_encode(tokenizer, text, n_text, special, tok, n_text + 1, &n_tok, &err),
        GPT2C_OK);
    for (size_t i = 0; i < n_tok && n < sizeof found - 16; i++) {
        n += (size_t)snprintf(found + n, sizeof found - n, "%s%d", i ? "," : "", tok[i]);
    }
    CHECK_STR(found, expected);
    free(tok);
}

static void check_block(int context, uint32_t first, size_t n, uint32_t crc)
{
    static const char *const contexts[][2] = {{"", ""}, {"a", "b"}, {" ", "1 "}, {"'s  ", "'s "}};
    char what[64];
    n_text = 0;
    for (uint32_t cp = first; cp < first + 4096; cp++) {
        if (cp < 0xd800 || cp >= 0xe000) {
            put(contexts[context][0], strlen(contexts[context][0]));
            put_char(cp);
            put(contexts[context][1], strlen(contexts[context][1]));
            put("\n", 1);
        }
    }
    add_text(text, n_text);
    snprintf(what, sizeof what, "code points from U+%04X in context %d", first, context);
    check_digest(what, n, crc);
}

static void check_vocabulary(size_t n_tokens, size_t n, uint32_t crc)
{
    size_t n_utf8 = 0;
    for (gpt2c_token token = 0; token < gpt2c_tokenizer_n_vocab(tokenizer); token++) {
        size_t n_bytes = 0;
        const char *bytes = gpt2c_tokenizer_bytes(tokenizer, token, &n_bytes);
        size_t at = 0;
        size_t step = 1;
        while (at < n_bytes && (step = gpt2c_utf8_char(bytes + at, n_bytes - at)) > 0) {
            at += step;
        }
        if (at == n_bytes) {
            n_utf8++;
            add_text(bytes, n_bytes);
        }
    }
    CHECK_INT(n_utf8, n_tokens);
    check_digest("the vocabulary", n, crc);
}

static void check_fuzz(char *const *atoms, size_t n_atoms, uint64_t seed, size_t n_strings,
                       size_t n, uint32_t crc)
{
    random_state = seed;
    for (size_t i = 0; i < n_strings; i++) {
        n_text = 0;
        for (size_t left = 1 + random_below(40); left > 0; left--) {
            put_hex(atoms[random_below(n_atoms)]);
        }
        add_text(text, n_text);
    }
    check_digest("fuzz strings", n, crc);
}

static void check_run(const char *hex, size_t times, size_t n, uint32_t crc)
{
    n_text = 0;
    put_hex(hex);
    const size_t n_once = n_text;
    for (size_t i = 1; i < times; i++) {
        put(text, n_once);
    }
    add_text(text, n_text);
    check_digest(hex, n, crc);
}

static void check_letters(uint64_t seed, size_t length, size_t n, uint32_t crc)
{
    random_state = seed;
    n_text = 0;
    while (n_text < length) {
        text[n_text++] = (char)('a' + random_below(26));
    }
    add_text(text, n_text);
    check_digest("random letters", n, crc);
}

int main(int argc, char **argv)
{
    static char line[65536];
    static char hex[65536];
    static char ids[2][16384];
    static char *atoms[ATOMS_MAX];
    size_t n_atoms = 0;
    size_t n_blocks = 0;
    size_t n_runs = 0;
    size_t n_strings = 0;
    gpt2c_error err = {0};
    FILE *f = argc == 3 ? fopen(argv[2], "r") : NULL;
    if (!f || gpt2c_tokenizer_open(&tokenizer, argv[1], &err) ||
        gpt2c_encoder_create(&encoder, tokenizer, GPT2C_SPECIAL_TEXT, 1, add_tokens, &current,
                             &err)) {
        fprintf(stderr, "usage: test_tokenizer MODEL_FOLDER GOLDEN_FILE (%s)\n", err.msg);
        return 1;
    }
    make_crc_table();
    while (fgets(line, sizeof line, f)) {
        size_t a = 0;
        size_t b = 0;
        size_t n = 0;
        uint32_t crc = 0;
        if (sscanf(line, "string %65535s %16383s %16383s", hex, ids[0], ids[1]) == 3) {
            check_ids(hex, GPT2C_SPECIAL_TEXT, ids[0]);
            check_ids(hex, GPT2C_SPECIAL_ALLOW, ids[1]);
            n_strings++;
        } else if (sscanf(line, "block %zu %zu %zu %x", &a, &b, &n, &crc) == 4) {
            check_block((int)a, (uint32_t)b, n, crc);
            n_blocks++;
        } else if (sscanf(line, "vocab %zu %zu %x", &a, &n, &crc) == 3) {
            check_vocabulary(a, n, crc);
            printf("%zu tokens that are UTF-8 by themselves\n", a);
        } else if (sscanf(line, "atom %65535s", hex) == 1 && n_atoms < ATOMS_MAX) {
            atoms[n_atoms++] = strdup(hex);
        } else if (sscanf(line, "fuzz %zu %zu %zu %x", &a, &b, &n, &crc) == 4) {
            check_fuzz(atoms, n_atoms, a, b, n, crc);
            printf("%zu fuzz strings\n", b);
        } else if (sscanf(line, "run %65535s %zu %zu %x", hex, &a, &n, &crc) == 4) {
            check_run(hex, a, n, crc);
            n_runs++;
        } else if (sscanf(line, "letters %zu %zu %zu %x", &a, &b, &n, &crc) == 4) {
            check_letters(a, b, n, crc);
            n_runs++;
        } else {
            CHECK(line[0] == '#');
        }
    }
    fclose(f);
    CHECK_INT(n_blocks, 4 * 272);
    printf("%zu golden strings with and without special tokens\n", n_strings);
    printf("%d code points in each of %zu contexts\n", 0x110000 - 0x800, n_blocks / 272);
    printf("%zu runs of a megabyte\n", n_runs);
    for (size_t i = 0; i < n_atoms; i++) {
        free(atoms[i]);
    }
    gpt2c_encoder_free(&encoder);
    gpt2c_tokenizer_close(&tokenizer);
    return check_result();
}
