/* Text that leaves character by character: pieces of characters, stop strings over pieces,
 * marks. */
#include "check.h"
#include "textstream.h"

#include <stdlib.h>

static char text[4096]; /* what was emitted; with '|' after each call when calls are shown */
static size_t n_text;
static char marks[4096];

static void on_text(void *user, const char *bytes, size_t n, int mark)
{
    const bool shows_calls = *(const bool *)user;
    memcpy(text + n_text, bytes, n);
    memset(marks + n_text, 'a' + mark, n);
    n_text += n;
    if (shows_calls) {
        text[n_text++] = '|';
    }
    text[n_text] = '\0';
    marks[n_text] = '\0';
}

/* Pushes the pieces, which are parted by '/', and ends the stream. */
static bool stream(const char *pieces, struct cli_strings *stops, bool shows_calls)
{
    struct textstream ts;
    n_text = 0;
    text[0] = '\0';
    textstream_begin(&ts, stops, on_text, &shows_calls);
    int mark = 0;
    while (*pieces) {
        const size_t n = strcspn(pieces, "/");
        textstream_push(&ts, pieces, n, mark++);
        pieces += n + (pieces[n] == '/');
    }
    textstream_end(&ts);
    return ts.stopped;
}

static void characters_leave_whole(void)
{
    stream("a\xe2/\x82/\xac b", NULL, true);
    CHECK_STR(text, "a|\xe2\x82\xac|" " b|");
    stream("\xf0\x9f/\x98/\x80", NULL, true);
    CHECK_STR(text, "\xf0\x9f\x98\x80|");
}

static void bytes_that_are_no_characters_become_replacements(void)
{
    stream("\xe2\x82", NULL, false); /* one for the part of a character, as in Python */
    CHECK_STR(text, "\xef\xbf\xbd");
    stream("\xe2/x", NULL, false);
    CHECK_STR(text, "\xef\xbf\xbdx");
    stream("\x80/\xff/a", NULL, false);
    CHECK_STR(text, "\xef\xbf\xbd\xef\xbf\xbd"
                    "a");
    stream("\xed\xa0\x80", NULL, false); /* a surrogate: three */
    CHECK_STR(text, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

static void stop_strings_are_found_over_pieces(void)
{
    const char *words[] = {"END", "\xe2\x82\xac"};
    struct cli_strings stops = {words, 2};
    CHECK(stream("one E/N/D two", &stops, false));
    CHECK_STR(text, "one ");
    CHECK(stream("price 5\xe2/\x82/\xac more", &stops, false));
    CHECK_STR(text, "price 5");
    CHECK(!stream("one E/N/d two", &stops, false));
    CHECK_STR(text, "one ENd two");
    CHECK(!stream("one EN", &stops, false));
    CHECK_STR(text, "one EN");
    CHECK(stream("EEND", &stops, false));
    CHECK_STR(text, "E");
    CHECK(stream("a \xe2\x82\xac END", &stops, false)); /* the first of the two */
    CHECK_STR(text, "a ");
}

static void what_can_be_no_stop_leaves_at_once(void)
{
    const char *words[] = {"abcab"};
    struct cli_strings stops = {words, 1};
    stream("xabca/bd", &stops, true);
    CHECK_STR(text, "x|");
    stream("xabca/x", &stops, true);
    CHECK_STR(text, "x|abca|x|");
}

static void marks_follow_their_bytes(void)
{
    stream("ab/cd/e\xe2/\x82/\xac", NULL, false);
    CHECK_STR(text, "abcde\xe2\x82\xac");
    CHECK_STR(marks, "aabbcccc"); /* a character has the mark of its first byte */
}

int main(void)
{
    characters_leave_whole();
    bytes_that_are_no_characters_become_replacements();
    stop_strings_are_found_over_pieces();
    what_can_be_no_stop_leaves_at_once();
    marks_follow_their_bytes();
    return check_result();
}
