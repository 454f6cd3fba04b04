/* The splitting rule: classes counted over all of Unicode, pieces of texts where rules meet. */
#include "check.h"
#include "pretokenize.h"
#include "utf8.h"

/* The pieces of a text, joined by '|'. */
static const char *split(const char *text, size_t n)
{
    static char out[512];
    size_t n_out = 0;
    const unsigned char *p = (const unsigned char *)text;
    const unsigned char *const end = p + n;
    while (p < end) {
        enum pretokenize_class class;
        const size_t n_piece = pretokenize_piece(p, end, &class);
        if (!CHECK(n_piece > 0 && n_piece <= (size_t)(end - p))) {
            break;
        }
        memcpy(out + n_out, p, n_piece);
        n_out += n_piece;
        out[n_out++] = '|';
        p += n_piece;
    }
    out[n_out] = '\0';
    return out;
}

static void check_split(const char *text, const char *expected)
{
    CHECK_STR(split(text, strlen(text)), expected);
}

static void pieces_follow_the_rule(void)
{
    check_split("Hello world", "Hello| world|");
    check_split("  two", " | two|");
    check_split("a   b  ", "a|  | b|  |");
    check_split("a\n\nb", "a|\n|\n|b|");
    check_split("a \nb", "a| |\n|b|");
    check_split("x\t y", "x|\t| y|");
    check_split("it's I'M we'll they're I've I'd I'm don't",
                "it|'s| I|'|M| we|'ll| they|'re| I|'ve| I|'d| I|'m| don|'t|");
    check_split(" 's ''s '", " '|s| ''|s| '|");
    check_split("'r 'v 'l 're've'll", "'|r| '|v| '|l| '|re|'ve|'ll|");
    check_split("abc123 456!?", "abc|123| 456|!?|");
    check_split("\xc3\xa9t\xc3\xa9 \xc2\xbd\xc2\xb2 \xe2\x85\xa7",
                "\xc3\xa9t\xc3\xa9| \xc2\xbd\xc2\xb2| \xe2\x85\xa7|");
    check_split("a\xe3\x80\x80\xe3\x80\x80"
                "b",
                "a|\xe3\x80\x80|\xe3\x80\x80|b|");
    check_split("\xe3\x80\x80"
                "b",
                "\xe3\x80\x80|b|");
    check_split("\xc2\xa0x", "\xc2\xa0|x|");
    check_split("e\xcc\x81"
                "a",
                "e|\xcc\x81|a|"); /* a combining mark is neither */
    check_split("a\xe2\x80\x8d"
                "b",
                "a|\xe2\x80\x8d|b|"); /* nor is a joiner */
    check_split(" ", " |");
    check_split("", "");
}

static void invalid_bytes_are_other(void)
{
    check_split("a\x80\xff!b", "a|\x80\xff!|b|");
    check_split("\xe3\x80", "\xe3\x80|");                            /* cut off */
    check_split("\xed\xa0\x80x", "\xed\xa0\x80|x|");                 /* a surrogate */
    check_split("\xc1\xa1\xe0\x80\xa0z", "\xc1\xa1\xe0\x80\xa0|z|"); /* overlong forms */
    check_split("\xf4\x90\x80\x80z", "\xf4\x90\x80\x80|z|");         /* past U+10FFFF */
    CHECK_STR(split("a\0b", 3), "a|");                               /* NUL is other, too */
}

/* Members and ranges of the classes are those of Unicode 16.0. */
static void classes_are_those_of_unicode_16(void)
{
    int n_members[4] = {0};
    int n_ranges[4] = {0};
    int before = -1;
    for (uint32_t cp = 0; cp < 0x110000; cp++) {
        char text[4];
        size_t n = 0;
        if (cp >= 0xd800 && cp < 0xe000) {
            before = -1;
            continue;
        }
        const unsigned char *const p = (const unsigned char *)text;
        const size_t n_text = utf8_encode(cp, text);
        const int class = (int)pretokenize_char(p, p + n_text, &n);
        CHECK_INT(n, n_text);
        n_members[class]++;
        n_ranges[class] += class != before;
        before = class;
    }
    CHECK_INT(n_members[PRETOKENIZE_LETTER], 141028);
    CHECK_INT(n_ranges[PRETOKENIZE_LETTER], 677);
    CHECK_INT(n_members[PRETOKENIZE_NUMBER], 1911);
    CHECK_INT(n_ranges[PRETOKENIZE_NUMBER], 144);
    CHECK_INT(n_members[PRETOKENIZE_SPACE], 25);
    CHECK_INT(n_ranges[PRETOKENIZE_SPACE], 10);
}

static void rest_goes_on_with_the_class(void)
{
    const unsigned char *const text = (const unsigned char *)"abc12  \t!";
    CHECK_INT(pretokenize_rest(text, text + 9, PRETOKENIZE_LETTER), 3);
    CHECK_INT(pretokenize_rest(text, text + 9, PRETOKENIZE_NUMBER), 0);
    CHECK_INT(pretokenize_rest(text + 3, text + 9, PRETOKENIZE_NUMBER), 2);
    CHECK_INT(pretokenize_rest(text + 5, text + 9, PRETOKENIZE_SPACE), 2);
    CHECK_INT(pretokenize_rest(text + 7, text + 9, PRETOKENIZE_SPACE),
              0); /* the last is given away */
    CHECK_INT(pretokenize_rest(text + 5, text + 8, PRETOKENIZE_SPACE), 3); /* but at the end */
    CHECK_INT(pretokenize_rest(text + 9, text + 9, PRETOKENIZE_OTHER), 0);
}

int main(void)
{
    pieces_follow_the_rule();
    invalid_bytes_are_other();
    classes_are_those_of_unicode_16();
    rest_goes_on_with_the_class();
    return check_result();
}
