/* Text that arrives token by token and leaves character by character: bytes are held back while
 * they may be the first part of a character or of a stop string. What leaves is UTF-8 always. */
#ifndef TEXTSTREAM_H
#define TEXTSTREAM_H

#include "cli.h"

/* A run of whole characters that came under one mark. */
typedef void (*textstream_fn)(void *user, const char *text, size_t n_bytes, int mark);

struct textstream {
    const struct cli_strings *stops; /* NULL ok; borrowed */
    textstream_fn emit;
    void *user;
    char *pending; /* [n_pending] held back */
    unsigned char *marks;
    size_t n_pending, cap;
    bool stopped; /* a stop string was met; what it is and what follows is not emitted */
};

void textstream_begin(struct textstream *ts, const struct cli_strings *stops, textstream_fn emit,
                      void *user);
void textstream_push(struct textstream *ts, const char *bytes, size_t n_bytes, int mark);
/* Emits what is held back, an incomplete character as U+FFFD, and frees the memory. */
void textstream_end(struct textstream *ts);

#endif
