/* The tokenizer's API on the vocabulary of GPT-2: streams cut anywhere, several threads, any bytes
 * back, ranges, names, policies, explanations, characters held back. */
#include "check.h"
#include "gpt2c/gpt2c.h"

#include <stdlib.h>

static gpt2c_tokenizer *tokenizer;

struct ids {
    gpt2c_token *tok;
    size_t n_tok, cap;
};

static int collect(void *user, const gpt2c_token *tok, size_t n_tok)
{
    struct ids *ids = user;
    if (ids->n_tok + n_tok > ids->cap) {
        ids->cap = 2 * (ids->n_tok + n_tok);
        ids->tok = realloc(ids->tok, ids->cap * sizeof *tok);
    }
    memcpy(ids->tok + ids->n_tok, tok, n_tok * sizeof *tok);
    ids->n_tok += n_tok;
    return 0;
}

static struct ids encode(const char *text, size_t n, gpt2c_special special)
{
    gpt2c_error err;
    struct ids ids = {malloc((n + 1) * sizeof *ids.tok), 0, n + 1};
    CHECK_INT(gpt2c_tokenizer_encode(tokenizer, text, n, special, ids.tok, n + 1, &ids.n_tok, &err),
              GPT2C_OK);
    return ids;
}

static uint64_t state = 7;

static size_t random_below(size_t n)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(state >> 33) % n;
}

/* A repeated text, or random bytes when it is NULL. */
static char *make_text(const char *once, size_t n_once, size_t n)
{
    char *text = malloc(n + 1);
    for (size_t i = 0; i < n; i++) {
        text[i] = once ? once[i % n_once] : (char)random_below(256);
    }
    return text;
}

static void check_stream(const char *text, size_t n, const struct ids *right, int32_t n_threads,
                         size_t longest_part)
{
    gpt2c_error err;
    struct ids found = {NULL, 0, 0};
    gpt2c_encoder *encoder = NULL;
    CHECK_INT(gpt2c_encoder_create(&encoder, tokenizer, GPT2C_SPECIAL_ALLOW, n_threads, collect,
                                   &found, &err),
              GPT2C_OK);
    for (int round = 0; round < 2; round++) { /* an encoder serves many texts */
        found.n_tok = 0;
        for (size_t at = 0; at < n;) {
            const size_t left = n - at;
            const size_t part = 1 + random_below(longest_part);
            CHECK_INT(gpt2c_encoder_feed(encoder, text + at, part < left ? part : left, &err),
                      GPT2C_OK);
            at += part < left ? part : left;
        }
        CHECK_INT(gpt2c_encoder_finish(encoder, &err), GPT2C_OK);
        CHECK_INT(found.n_tok, right->n_tok);
        CHECK(found.n_tok == right->n_tok &&
              (!found.tok || !memcmp(found.tok, right->tok, found.n_tok * sizeof *found.tok)));
    }
    free(found.tok);
    gpt2c_encoder_free(&encoder);
}

static void streams_and_threads_give_the_same_ids(void)
{
    static const char *const once[] = {
        "The dog's 42 cats, 3.14 \n\n and it's 'll ",
        "a",
        " ",
        "\n",
        "ab",
        "^",
        "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
        "\xe3\x80\x80",
        "\xf0\x9f\x91\xa9\xe2\x80\x8d",
        "\x80",
        "hello<|endoftext|> ",
        "<|endof",
        "x<|endoftext",
        "\xe3\x80\x80x \xc2\xa0",
    };
    size_t n_texts = 0;
    for (size_t i = 0; i <= sizeof once / sizeof *once; i++) {
        const bool random = i == sizeof once / sizeof *once;
        const size_t n = 150000 + random_below(50000);
        char *text = random ? make_text(NULL, 0, n) : make_text(once[i], strlen(once[i]), n);
        struct ids right = encode(text, n, GPT2C_SPECIAL_ALLOW);
        check_stream(text, n, &right, 1, 300000);
        check_stream(text, n, &right, 1, 20000);
        check_stream(text, n, &right, 1, 37);
        free(right.tok);
        free(text);
        n_texts++;
    }
    const size_t n = 5000000; /* enough to cut */
    char *text = make_text(once[0], strlen(once[0]), n);
    for (size_t i = 0; i < 400; i++) { /* and not all alike */
        const size_t which = random_below(sizeof once / sizeof *once);
        memcpy(text + random_below(n - 100), once[which], strlen(once[which]));
    }
    struct ids right = encode(text, n, GPT2C_SPECIAL_ALLOW);
    for (int32_t n_threads = 1; n_threads <= 5; n_threads++) {
        check_stream(text, n, &right, n_threads, 8000000);
    }
    check_stream(text, n, &right, 3, 2000000);
    printf("%zu texts in parts, one on 1 to 5 threads\n", n_texts);
    free(right.tok);
    free(text);
}

static void any_bytes_come_back(void)
{
    gpt2c_error err;
    for (int i = 0; i < 300; i++) {
        const size_t n = random_below(i < 290 ? 200 : 200000);
        char *text = make_text(NULL, 0, n);
        char *back = malloc(n + 1);
        size_t n_back = 0;
        struct ids ids = encode(text, n, GPT2C_SPECIAL_TEXT);
        CHECK_INT(gpt2c_tokenizer_decode(tokenizer, ids.tok, ids.n_tok, back, n, &n_back, &err),
                  GPT2C_OK);
        CHECK_INT(n_back, n);
        CHECK(n_back == n && memcmp(text, back, n) == 0);
        free(ids.tok);
        free(text);
        free(back);
    }
}

static void short_buffers_give_the_number_needed(void)
{
    gpt2c_error err;
    gpt2c_token tok[3] = {-1, -1, -1};
    char out[4] = "xxxx";
    size_t n = 0;
    const char *text = "The cat sat";
    CHECK_INT(gpt2c_tokenizer_encode(tokenizer, text, 11, GPT2C_SPECIAL_ALLOW, NULL, 0, &n, &err),
              GPT2C_OK);
    CHECK_INT(n, 3);
    CHECK_INT(gpt2c_tokenizer_encode(tokenizer, text, 11, GPT2C_SPECIAL_ALLOW, tok, 2, &n, &err),
              GPT2C_OK);
    CHECK_INT(n, 3);
    CHECK_INT(tok[1], 3797);
    CHECK_INT(tok[2], -1);
    CHECK_INT(gpt2c_tokenizer_encode(tokenizer, NULL, 0, GPT2C_SPECIAL_ALLOW, NULL, 0, &n, &err),
              GPT2C_OK);
    CHECK_INT(n, 0);
    tok[2] = 3332;
    CHECK_INT(gpt2c_tokenizer_decode(tokenizer, tok, 3, out, 2, &n, &err), GPT2C_OK);
    CHECK_INT(n, 11);
    CHECK(memcmp(out, "Thxx", 4) == 0);
    tok[1] = 50257;
    CHECK_INT(gpt2c_tokenizer_decode(tokenizer, tok, 3, out, 4, &n, &err), GPT2C_E_ARG);
    CHECK_HAS(err.msg, "50257");
    tok[1] = -1;
    CHECK_INT(gpt2c_tokenizer_decode(tokenizer, tok, 3, NULL, 0, &n, &err), GPT2C_E_ARG);
}

static void tokens_have_names(void)
{
    char name[16];
    size_t n = 1;
    CHECK_INT(gpt2c_tokenizer_name(tokenizer, 3797, name, sizeof name), 5);
    CHECK_STR(name, "\xc4\xa0"
                    "cat");
    CHECK_INT(gpt2c_tokenizer_name(tokenizer, 3797, name, 2), 5); /* cut before the character */
    CHECK_STR(name, "");
    CHECK_INT(gpt2c_tokenizer_name(tokenizer, 50256, name, sizeof name), 13);
    CHECK_STR(name, "<|endoftext|>");
    CHECK_INT(gpt2c_tokenizer_name(tokenizer, -1, name, sizeof name), 0);
    CHECK(gpt2c_tokenizer_bytes(tokenizer, 50257, &n) == NULL);
    CHECK_INT(n, 0);
    CHECK_INT(gpt2c_tokenizer_find(tokenizer, " cat", 4), 3797);
    CHECK_INT(gpt2c_tokenizer_find(tokenizer, " catx", 5), -1);
    CHECK_INT(gpt2c_tokenizer_find(tokenizer, "<|endoftext|>", 13), 50256);
    CHECK_INT(gpt2c_tokenizer_eos(tokenizer), 50256);
    CHECK(gpt2c_tokenizer_is_special(tokenizer, 50256));
    CHECK(!gpt2c_tokenizer_is_special(tokenizer, 27));
    for (gpt2c_token token = 0; token < gpt2c_tokenizer_n_vocab(tokenizer); token++) {
        const char *bytes = gpt2c_tokenizer_bytes(tokenizer, token, &n);
        CHECK_INT(gpt2c_tokenizer_find(tokenizer, bytes, n), token);
    }
}

static void special_tokens_follow_the_policy(void)
{
    gpt2c_error err;
    size_t n = 0;
    const char *text = "hi <|endoftext|>";
    struct ids allowed = encode(text, strlen(text), GPT2C_SPECIAL_ALLOW);
    struct ids plain = encode(text, strlen(text), GPT2C_SPECIAL_TEXT);
    CHECK_INT(allowed.n_tok, 3);
    CHECK_INT(allowed.tok[1], 220);
    CHECK_INT(allowed.tok[2], 50256);
    CHECK_INT(plain.n_tok, 8);
    CHECK_INT(gpt2c_tokenizer_encode(tokenizer, text, strlen(text), GPT2C_SPECIAL_ERROR, NULL, 0,
                                     &n, &err),
              GPT2C_E_ARG);
    CHECK_HAS(err.msg, "<|endoftext|>");
    CHECK_HAS(err.msg, "byte 3");
    CHECK_INT(gpt2c_tokenizer_encode(tokenizer, "<|endoftext|", 12, GPT2C_SPECIAL_ERROR, NULL, 0,
                                     &n, &err),
              GPT2C_OK);
    free(allowed.tok);
    free(plain.tok);
}

static void ranges_are_bytes_and_characters(void)
{
    gpt2c_error err;
    const char *text = "a\xc3\xa9 \xf0\x9f\x91\xa9\xff!"; /* a é space 👩 an invalid byte ! */
    struct ids ids = encode(text, strlen(text), GPT2C_SPECIAL_ALLOW);
    gpt2c_range bytes[16];
    gpt2c_range chars[16];
    CHECK_INT(gpt2c_tokenizer_ranges(tokenizer, text, strlen(text), ids.tok, ids.n_tok, bytes,
                                     chars, &err),
              GPT2C_OK);
    CHECK_INT(bytes[0].begin, 0);
    CHECK_INT(bytes[ids.n_tok - 1].end, strlen(text));
    CHECK_INT(chars[ids.n_tok - 1].end, 6);
    for (size_t i = 0; i < ids.n_tok; i++) {
        size_t first = 0; /* characters that begin before the token ends, and that end before it */
        size_t last = 0;
        for (size_t at = 0; at < bytes[i].end;) {
            const size_t n = gpt2c_utf8_char(text + at, strlen(text) - at);
            at += n ? n : 1;
            first += at <= bytes[i].begin;
            last++;
        }
        CHECK_INT(chars[i].begin, first);
        CHECK_INT(chars[i].end, last);
    }
    ids.tok[0]++;
    CHECK_INT(gpt2c_tokenizer_ranges(tokenizer, text, strlen(text), ids.tok, ids.n_tok, bytes, NULL,
                                     &err),
              GPT2C_E_ARG);
    free(ids.tok);
}

static int add_last(void *user, const gpt2c_explain_step *step)
{
    if (step->step > 0) {
        CHECK(step->rank >= 0 && step->at >= 0 && (size_t)step->at < step->n_tok);
    }
    return step->last ? collect(user, step->tok, step->n_tok) : 0;
}

static int stop(void *user, const gpt2c_token *tok, size_t n_tok)
{
    (void)user;
    (void)tok;
    return n_tok > 0;
}

static void explanations_end_with_the_ids(void)
{
    gpt2c_error err;
    struct ids told = {NULL, 0, 0};
    char *text =
        make_text("It's unbelievable <|endoftext|> \xe6\x97\xa5\xe6\x9c\xac 123  ", 45, 5000);
    memset(text + 2000, 'a', 2000); /* too long to tell */
    struct ids right = encode(text, 5000, GPT2C_SPECIAL_ALLOW);
    CHECK_INT(
        gpt2c_tokenizer_explain(tokenizer, text, 5000, GPT2C_SPECIAL_ALLOW, add_last, &told, &err),
        GPT2C_OK);
    CHECK_INT(told.n_tok, right.n_tok);
    CHECK(told.n_tok == right.n_tok && !memcmp(told.tok, right.tok, told.n_tok * sizeof *told.tok));
    free(told.tok);
    free(right.tok);
    free(text);
}

static void callbacks_can_stop(void)
{
    gpt2c_error err;
    gpt2c_encoder *encoder = NULL;
    CHECK_INT(gpt2c_encoder_create(&encoder, tokenizer, GPT2C_SPECIAL_ALLOW, 1, stop, NULL, &err),
              GPT2C_OK);
    CHECK_INT(gpt2c_encoder_feed(encoder, "a b", 3, &err), GPT2C_OK);
    CHECK_INT(gpt2c_encoder_finish(encoder, &err), GPT2C_E_CANCELLED);
    CHECK_INT(gpt2c_encoder_finish(encoder, &err), GPT2C_OK); /* the next text is empty */
    gpt2c_encoder_free(&encoder);
    gpt2c_encoder_free(&encoder);
    CHECK_INT(gpt2c_encoder_create(&encoder, tokenizer, GPT2C_SPECIAL_ALLOW, 1, NULL, NULL, &err),
              GPT2C_E_ARG);
}

/* Pushed byte by byte, a text comes out whole, and never ends inside a character that can be. */
static void characters_are_held_back(void)
{
    gpt2c_utf8 utf8 = {{0}, 0};
    char out[8];
    CHECK_INT(gpt2c_utf8_push(&utf8, "a\xf0\x9f", 3, out), 1);
    CHECK_INT(gpt2c_utf8_push(&utf8, "\x91", 1, out), 0);
    CHECK_INT(gpt2c_utf8_push(&utf8, "\xa9", 1, out), 4);
    CHECK(memcmp(out, "\xf0\x9f\x91\xa9", 4) == 0);
    CHECK_INT(gpt2c_utf8_push(&utf8, "\xe0\x80", 2, out), 2); /* no character begins so */
    CHECK_INT(gpt2c_utf8_push(&utf8, "\xed\xa0", 2, out), 2);
    CHECK_INT(gpt2c_utf8_push(&utf8, "\xe6\x97", 2, out), 0);
    CHECK_INT(gpt2c_utf8_push(&utf8, "x", 1, out), 3);
    CHECK_INT(gpt2c_utf8_push(&utf8, "\xc3", 1, out), 0);
    CHECK_INT(gpt2c_utf8_finish(&utf8, out), 1);
    CHECK_INT(gpt2c_utf8_finish(&utf8, out), 0);
    for (int i = 0; i < 20000; i++) {
        char text[16];
        char back[64];
        const size_t n = 1 + random_below(sizeof text);
        size_t n_back = 0;
        for (size_t j = 0; j < n; j++) {
            text[j] =
                "a\x80\xbf\xc3\xe0\xa0\xed\x9f\xf0\x90\xf4\x8f\xe6\xff\xc1\xf5"[random_below(16)];
        }
        for (size_t at = 0; at < n;) {
            const size_t part = 1 + random_below(n - at);
            n_back += gpt2c_utf8_push(&utf8, text + at, part, back + n_back);
            at += part;
        }
        n_back += gpt2c_utf8_finish(&utf8, back + n_back);
        CHECK_INT(n_back, n);
        CHECK(n_back == n && memcmp(text, back, n) == 0);
    }
}

int main(int argc, char **argv)
{
    gpt2c_error err = {0};
    if (argc != 2 || gpt2c_tokenizer_open(&tokenizer, argv[1], &err)) {
        fprintf(stderr, "usage: test_encoder MODEL_FOLDER (%s)\n", err.msg);
        return 1;
    }
    streams_and_threads_give_the_same_ids();
    any_bytes_come_back();
    short_buffers_give_the_number_needed();
    tokens_have_names();
    special_tokens_follow_the_policy();
    ranges_are_bytes_and_characters();
    explanations_end_with_the_ids();
    callbacks_can_stop();
    characters_are_held_back();
    gpt2c_tokenizer_close(&tokenizer);
    return check_result();
}
