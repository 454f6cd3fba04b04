/* GPT-2's splitting rule, without a regular-expression engine:
 *
 *   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * on bytes. A byte that is not part of a UTF-8 character counts as a character that is neither
 * letter, number nor white space, so every byte of any input lies in exactly one piece. */
#ifndef PRETOKENIZE_H
#define PRETOKENIZE_H

#include <stddef.h>
#include <stdint.h>

enum pretokenize_class { /* of a character, and of the run that a piece holds */
                         PRETOKENIZE_OTHER,
                         PRETOKENIZE_LETTER,
                         PRETOKENIZE_NUMBER,
                         PRETOKENIZE_SPACE
};

/* Bytes past the end of a piece that decide where it ends: a character that white space gives away
 * and the one behind it, or the letters that may follow an apostrophe. A piece that ends closer to
 * the end of a text still growing may change. */
enum { PRETOKENIZE_LOOKAHEAD = 8 };

/* The class of the character at p < end; *n_bytes its length. */
enum pretokenize_class pretokenize_char(const unsigned char *p, const unsigned char *end,
                                        size_t *n_bytes);

/* Bytes of the first piece of [p, end), p < end; *class of its run (without the leading space). */
size_t pretokenize_piece(const unsigned char *p, const unsigned char *end,
                         enum pretokenize_class *class);

/* Bytes by which a piece with a run of this class goes on at p <= end, for a piece longer than what
 * was seen of it so far. */
size_t pretokenize_rest(const unsigned char *p, const unsigned char *end,
                        enum pretokenize_class class);

#endif
