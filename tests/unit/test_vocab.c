/* Files of a vocabulary that are wrong in one place each: refused, with the token or line named.
 * The right ones are written here with 256 tokens of one byte, three merges and a special token. */
#include "check.h"
#include "gpt2c/gpt2c.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "test_vocab.XXXXXX";

static const char merges_right[] = "#version: 0.2\na b\nab c\n# #\n";
static const char tokens_right[] = "\"ab\": 256, \"abc\": 257, \"##\": 258, \"<|endoftext|>\": 259";

static void write_file(const char *name, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!CHECK(f != NULL)) {
        exit(1);
    }
    fputs(text, f);
    fclose(f);
}

static void remove_file(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

/* {"\u0000"-like names of all bytes, then `more`}; all as escapes. */
static const char *with_bytes(const char *more)
{
    static char out[16384];
    size_t n = 0;
    unsigned next = 0x100;
    for (unsigned byte = 0; byte < 256; byte++) {
        const bool printable =
            (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
        n += (size_t)snprintf(out + n, sizeof out - n, "%s\"\\u%04x\": %u", byte ? ", " : "",
                              printable ? byte : next++, byte);
    }
    snprintf(out + n, sizeof out - n, "%s%s", *more ? ", " : "", more);
    return out;
}

static gpt2c_status open_files(const char *vocab, const char *merges, gpt2c_tokenizer **t,
                               gpt2c_error *err)
{
    remove_file("tokenizer.json");
    write_file("vocab.json", vocab);
    write_file("merges.txt", merges);
    return gpt2c_tokenizer_open(t, folder, err);
}

static const char *braced(const char *text)
{
    static char out[20000];
    snprintf(out, sizeof out, "{%s}", text);
    return out;
}

static void check_encodes(const gpt2c_tokenizer *t)
{
    gpt2c_token tok[16];
    size_t n = 0;
    CHECK_INT(gpt2c_tokenizer_encode(t, "abcab##<|endoftext|>", 20, GPT2C_SPECIAL_ALLOW, tok, 16,
                                     &n, NULL),
              GPT2C_OK);
    CHECK_INT(n, 4);
    CHECK_INT(tok[0], 257);
    CHECK_INT(tok[1], 256);
    CHECK_INT(tok[2], 258);
    CHECK_INT(tok[3], 259);
}

static void accept(const char *vocab, const char *merges)
{
    gpt2c_tokenizer *t = NULL;
    gpt2c_error err = {0};
    if (!CHECK_INT(open_files(vocab, merges, &t, &err), GPT2C_OK)) {
        fprintf(stderr, "%s\n", err.msg);
        return;
    }
    check_encodes(t);
    gpt2c_tokenizer_close(&t);
}

static void refuse(const char *vocab, const char *merges, gpt2c_status code, const char *part)
{
    gpt2c_tokenizer *t = NULL;
    gpt2c_error err = {0};
    CHECK_INT(open_files(vocab, merges, &t, &err), code);
    CHECK_HAS(err.msg, part);
    CHECK(t == NULL);
    gpt2c_tokenizer_close(&t);
}

static void refuse_tokens(const char *more, gpt2c_status code, const char *part)
{
    refuse(braced(with_bytes(more)), merges_right, code, part);
}

static void refuse_merges(const char *merges, gpt2c_status code, const char *part)
{
    refuse(braced(with_bytes(tokens_right)), merges, code, part);
}

static void right_files_open(void)
{
    accept(braced(with_bytes(tokens_right)), merges_right);
    accept(braced(with_bytes(tokens_right)), "a b\r\nab c\r\n# #\r\n"); /* CRLF, no comment */
    accept(braced(with_bytes(tokens_right)), "#version: 0.2\na b\nab c\n# #"); /* no last newline */
    accept(braced(with_bytes(
               "\"\\u0061b\":256,\"abc\":257,\"##\":258,\"<|endoftext|>\":259,\"[PAD]\":260")),
           merges_right);
}

static void bad_tokens_are_refused(void)
{
    const char *bytes = with_bytes(tokens_right);
    char text[20000];
    refuse("", merges_right, GPT2C_E_FORMAT, "vocab.json");
    refuse("[]", merges_right, GPT2C_E_FORMAT, "expected '{'");
    snprintf(text, sizeof text, "{%s", bytes);
    refuse(text, merges_right, GPT2C_E_FORMAT, "early");
    snprintf(text, sizeof text, "{%s} x", bytes);
    refuse(text, merges_right, GPT2C_E_FORMAT, "after the end");
    refuse_tokens("\"ab\": 256, \"abc\": 257, \"##\": 258,", GPT2C_E_FORMAT, "expected a string");
    refuse_tokens("\"ab\": 256, \"abc\": 257, \"##\": 259", GPT2C_E_FORMAT, "259");
    refuse_tokens("\"ab\": 256, \"abc\": 257, \"##\": 257", GPT2C_E_FORMAT, "257 is given twice");
    refuse_tokens("\"ab\": 256, \"abc\": 257, \"\\u0061b\": 258", GPT2C_E_FORMAT,
                  "\"ab\" has two ids");
    refuse_tokens("\"ab\": 256, \"abc\": 257, \"##\": -1", GPT2C_E_FORMAT, "whole number");
    refuse_tokens("\"ab\": 256, \"abc\": 257, \"##\": 258.0", GPT2C_E_FORMAT, "whole number");
    refuse_tokens("\"ab\": 256, \"abc\": 257, \"##\": 99999999999", GPT2C_E_FORMAT, "whole number");
    refuse_tokens("\"ab\": 256, \"abc\": 257, \"##\": 258, \"x y\": 259", GPT2C_E_FORMAT, "x y");
    refuse_tokens("\"ab\": 256, \"abc\": 257, \"##\": 258, \"\": 259", GPT2C_E_FORMAT, "empty");
    refuse_tokens("\"ab\": 256, \"abc\": 257, \"##\": 258, \"\\ud800\": 259", GPT2C_E_FORMAT,
                  "surrogate");
    refuse_tokens("\"ab\": 256, \"abc\": 257, \"##\": 258, \"\\ud83d\\u0041\": 259", GPT2C_E_FORMAT,
                  "surrogate");
    refuse_tokens("\"ab\": 256, \"abc\": 257, \"##\": 258, \"\\x\": 259", GPT2C_E_FORMAT, "escape");
    refuse_tokens("\"ab\": 256, \"abc\": 257, \"##\": 258, \"\xff\": 259", GPT2C_E_FORMAT, "UTF-8");
    refuse_tokens("\"ab\": 256, \"abc\": 257, \"##\": 258, \"a\nb\": 259", GPT2C_E_FORMAT,
                  "control");
    refuse_tokens("\"ab\": 256, \"abc\": 257, \"##\": 258, \"nobody\": 259", GPT2C_E_FORMAT,
                  "nobody");
    refuse("{\"a\": 0, \"b\": 1}", "a b\n", GPT2C_E_UNSUPPORTED, "byte 0x00");
}

static void bad_merges_are_refused(void)
{
    refuse_merges("a b\nab c\n# #\na b\n", GPT2C_E_FORMAT, "line 4");
    refuse_merges("a b\nab c\n# #\nb a\n", GPT2C_E_FORMAT, "line 4");
    refuse_merges("a b\nab x c\n# #\n", GPT2C_E_FORMAT, "line 2");
    refuse_merges("a b\nabc\n# #\n", GPT2C_E_FORMAT, "line 2");
    refuse_merges("a b\n\nab c\n# #\n", GPT2C_E_FORMAT, "line 2");
    refuse_merges("a b\nab zz\n# #\n", GPT2C_E_FORMAT, "the second");
    refuse_merges("a b\nzz c\n# #\n", GPT2C_E_FORMAT, "the first");
    refuse_merges("a b\n#version: 0.2\nab c\n# #\n", GPT2C_E_FORMAT, "line 2");
    refuse_merges("a b\nab c\n", GPT2C_E_FORMAT, "\"##\"");
    refuse_merges("", GPT2C_E_FORMAT, "\"ab\"");
}

/* ---- tokenizer.json -------------------------------------------------------------------------- */

static const char list_strings[] = "[\"a b\", \"ab c\", \"# #\"]";
static const char list_pairs[] = "[[\"a\", \"b\"], [\"ab\", \"c\"], [\"#\", \"#\"]]";
static const char added_right[] =
    "[{\"id\": 259, \"content\": \"<|endoftext|>\", \"special\": true, "
    "\"lstrip\": false}]";
static const char before_right[] = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false}";

static gpt2c_status open_json(const char *added, const char *before, const char *rest,
                              const char *model, const char *merges, gpt2c_tokenizer **t,
                              gpt2c_error *err)
{
    static char text[40000];
    remove_file("vocab.json");
    remove_file("merges.txt");
    snprintf(
        text, sizeof text,
        "{\"version\": \"1.0\", \"truncation\": null, \"added_tokens\": %s, \"pre_tokenizer\": "
        "%s, %s \"model\": {\"type\": \"BPE\", %s \"vocab\": {%s}, \"merges\": %s}}",
        added, before, rest, model, with_bytes("\"ab\": 256, \"abc\": 257, \"##\": 258"), merges);
    write_file("tokenizer.json", text);
    return gpt2c_tokenizer_open(t, folder, err);
}

static void accept_json(const char *added, const char *rest, const char *model, const char *merges)
{
    gpt2c_tokenizer *t = NULL;
    gpt2c_error err = {0};
    if (!CHECK_INT(open_json(added, before_right, rest, model, merges, &t, &err), GPT2C_OK)) {
        fprintf(stderr, "%s\n", err.msg);
        return;
    }
    check_encodes(t);
    gpt2c_tokenizer_close(&t);
}

static void refuse_json(const char *added, const char *before, const char *rest, const char *model,
                        const char *merges, gpt2c_status code, const char *part)
{
    gpt2c_tokenizer *t = NULL;
    gpt2c_error err = {0};
    CHECK_INT(open_json(added, before, rest, model, merges, &t, &err), code);
    CHECK_HAS(err.msg, part);
    gpt2c_tokenizer_close(&t);
}

static void right_tokenizer_json_opens(void)
{
    accept_json(added_right, "", "", list_strings);
    accept_json(
        added_right,
        "\"normalizer\": null, \"decoder\": {\"type\": \"ByteLevel\", \"add_prefix_space\": "
        "true}, \"post_processor\": {\"type\": \"ByteLevel\"}, \"extra\": [1, {\"a\": []}],",
        "\"dropout\": null, \"unk_token\": \"<|endoftext|>\", \"fuse_unk\": false, "
        "\"continuing_subword_prefix\": \"\", \"ignore_merges\": false,",
        list_pairs);
}

static void other_tokenizer_json_is_refused_by_name(void)
{
    const char *ok = added_right;
    const gpt2c_status no = GPT2C_E_UNSUPPORTED;
    refuse_json(ok, "null", "", "", list_pairs, no, "pre_tokenizer");
    refuse_json(ok, "{\"type\": \"Whitespace\"}", "", "", list_pairs, no, "Whitespace");
    refuse_json(ok, "{\"type\": \"ByteLevel\", \"add_prefix_space\": true}", "", "", list_pairs, no,
                "add_prefix_space");
    refuse_json(ok, "{\"type\": \"ByteLevel\", \"use_regex\": false}", "", "", list_pairs, no,
                "use_regex");
    refuse_json(ok, before_right, "\"normalizer\": {\"type\": \"NFC\"},", "", list_pairs, no,
                "normalizer");
    refuse_json(ok, before_right, "\"post_processor\": {\"type\": \"TemplateProcessing\"},", "",
                list_pairs, no, "TemplateProcessing");
    refuse_json(ok, before_right, "\"decoder\": {\"type\": \"WordPiece\"},", "", list_pairs, no,
                "decoder");
    refuse_json(ok, before_right, "", "\"type\": \"Unigram\",", list_pairs, no, "Unigram");
    refuse_json(ok, before_right, "", "\"dropout\": 0.1,", list_pairs, no, "dropout");
    refuse_json(ok, before_right, "", "\"byte_fallback\": true,", list_pairs, no, "byte_fallback");
    refuse_json(ok, before_right, "", "\"ignore_merges\": true,", list_pairs, no, "ignore_merges");
    refuse_json(ok, before_right, "", "\"end_of_word_suffix\": \"</w>\",", list_pairs, no,
                "end_of_word_suffix");
    refuse_json(ok, before_right, "", "", "[[\"a\", \"b\"], [\"ab\"]]", GPT2C_E_FORMAT,
                "expected ','");
    refuse_json(ok, before_right, "", "", "[\"a b\", \"b a\"]", GPT2C_E_FORMAT, "merge 2");
    refuse_json("[{\"id\": 259, \"content\": \"x\", \"lstrip\": true}]", before_right, "", "",
                list_pairs, no, "lstrip");
    refuse_json("[{\"id\": 256, \"content\": \"other\"}]", before_right, "", "", list_pairs,
                GPT2C_E_FORMAT, "other");
    refuse_json("[{\"id\": 300, \"content\": \"far\"}]", before_right, "", "", list_pairs,
                GPT2C_E_FORMAT, "300");
    refuse_json("[{\"id\": 259}]", before_right, "", "", list_pairs, GPT2C_E_FORMAT, "content");
}

/* Several added tokens, one the beginning of another: the longest at the leftmost place. */
static void the_longest_added_token_wins(void)
{
    gpt2c_tokenizer *t = NULL;
    gpt2c_error err = {0};
    gpt2c_token tok[16];
    size_t n = 0;
    CHECK_INT(open_json("[{\"id\": 259, \"content\": \"<x\"}, {\"id\": 260, \"content\": \"<x>\"}, "
                        "{\"id\": 261, \"content\": \"a b\"}]",
                        before_right, "", "", list_pairs, &t, &err),
              GPT2C_OK);
    if (t) {
        CHECK_INT(gpt2c_tokenizer_encode(t, "<x><xa b", 8, GPT2C_SPECIAL_ALLOW, tok, 16, &n, &err),
                  GPT2C_OK);
        CHECK_INT(n, 3);
        CHECK_INT(tok[0], 260);
        CHECK_INT(tok[1], 259);
        CHECK_INT(tok[2], 261);
        CHECK_INT(gpt2c_tokenizer_eos(t), -1);
    }
    gpt2c_tokenizer_close(&t);
}

static void missing_files_are_named(void)
{
    gpt2c_tokenizer *t = NULL;
    gpt2c_error err = {0};
    remove_file("vocab.json");
    remove_file("merges.txt");
    remove_file("tokenizer.json");
    CHECK_INT(gpt2c_tokenizer_open(&t, folder, &err), GPT2C_E_IO);
    CHECK_HAS(err.msg, "vocab.json");
    write_file("vocab.json", braced(with_bytes(tokens_right)));
    CHECK_INT(gpt2c_tokenizer_open(&t, folder, &err), GPT2C_E_IO);
    CHECK_HAS(err.msg, "merges.txt");
    CHECK_INT(gpt2c_tokenizer_open(NULL, folder, &err), GPT2C_E_ARG);
    remove_file("vocab.json");
}

int main(void)
{
    if (!mkdtemp(folder)) {
        fprintf(stderr, "cannot make a folder: %s\n", strerror(errno));
        return 1;
    }
    right_files_open();
    bad_tokens_are_refused();
    bad_merges_are_refused();
    right_tokenizer_json_opens();
    other_tokenizer_json_is_refused_by_name();
    the_longest_added_token_wins();
    missing_files_are_named();
    rmdir(folder);
    return check_result();
}
