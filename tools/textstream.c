/* Text that arrives token by token and leaves character by character. */
#include "textstream.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

void textstream_begin(struct textstream *ts, const struct cli_strings *stops, textstream_fn emit,
                      void *user)
{
    *ts = (struct textstream){.stops = stops, .emit = emit, .user = user};
}

/* Emits the first n bytes of what is pending, and forgets them. */
static void release(struct textstream *ts, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t cp = 0;
        size_t end = i;
        size_t len = text_next(ts->pending + i, n - i, &cp);
        if (cp == TEXT_INVALID) {
            ts->emit(ts->user, "\xef\xbf\xbd", 3, ts->marks[i]);
            i += len;
            continue;
        }
        while (end < n && cp != TEXT_INVALID && ts->marks[end] == ts->marks[i]) {
            end += len;
            len = end < n ? text_next(ts->pending + end, n - end, &cp) : 0;
        }
        ts->emit(ts->user, ts->pending + i, end - i, ts->marks[i]);
        i = end;
    }
    ts->n_pending -= n;
    memmove(ts->pending, ts->pending + n, ts->n_pending);
    memmove(ts->marks, ts->marks + n, ts->n_pending);
}

/* The length of a character's first part at the end of what is pending, 0 to 3. */
static size_t incomplete_tail(const struct textstream *ts)
{
    for (size_t back = 1; back <= 3 && back <= ts->n_pending; back++) {
        const char *p = ts->pending + ts->n_pending - back;
        const unsigned char lead = (unsigned char)*p;
        uint32_t cp = 0;
        if (lead >= 0xc2 && lead <= 0xf4) {
            return text_next(p, back, &cp) == back && cp == TEXT_INVALID ? back : 0;
        }
    }
    return 0;
}

/* The length of the longest end of what is pending that begins a stop string. */
static size_t possible_stop(const struct textstream *ts)
{
    size_t most = 0;
    for (size_t i = 0; ts->stops && i < ts->stops->n; i++) {
        const char *stop = ts->stops->v[i];
        size_t n = strlen(stop) - 1;
        n = n < ts->n_pending ? n : ts->n_pending;
        while (n > most && memcmp(ts->pending + ts->n_pending - n, stop, n) != 0) {
            n--;
        }
        most = n > most ? n : most;
    }
    return most;
}

/* Where the first stop string in what is pending begins; n_pending when there is none. */
static size_t find_stop(const struct textstream *ts)
{
    size_t first = ts->n_pending;
    for (size_t i = 0; ts->stops && i < ts->stops->n; i++) {
        const char *stop = ts->stops->v[i];
        const char *at = memmem(ts->pending, ts->n_pending, stop, strlen(stop));
        if (at && (size_t)(at - ts->pending) < first) {
            first = (size_t)(at - ts->pending);
        }
    }
    return first;
}

void textstream_push(struct textstream *ts, const char *bytes, size_t n_bytes, int mark)
{
    if (ts->stopped || n_bytes == 0) {
        return;
    }
    if (ts->n_pending + n_bytes > ts->cap) {
        ts->cap = 2 * (ts->n_pending + n_bytes);
        ts->pending = cli_realloc(ts->pending, ts->cap, 1);
        ts->marks = cli_realloc(ts->marks, ts->cap, 1);
    }
    memcpy(ts->pending + ts->n_pending, bytes, n_bytes);
    memset(ts->marks + ts->n_pending, mark, n_bytes);
    ts->n_pending += n_bytes;
    const size_t stop = find_stop(ts);
    if (stop < ts->n_pending) {
        release(ts, stop);
        ts->stopped = true;
        ts->n_pending = 0;
        return;
    }
    const size_t tail = incomplete_tail(ts);
    const size_t held = possible_stop(ts);
    release(ts, ts->n_pending - (tail > held ? tail : held));
}

void textstream_end(struct textstream *ts)
{
    if (ts->n_pending > 0) {
        release(ts, ts->n_pending);
    }
    free(ts->pending);
    free(ts->marks);
    ts->pending = NULL;
    ts->marks = NULL;
    ts->cap = 0;
}
