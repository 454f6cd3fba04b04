/* Bytes of tokens as text that people and programs can read: UTF-8, escapes, columns, CSV. */
#ifndef TEXT_H
#define TEXT_H

#include "gpt2c/gpt2c.h"

#include <stdio.h>

#define TEXT_INVALID UINT32_MAX

/* The character at the front of bytes [n], n > 0: its length is returned, *cp is its code point, or
 * TEXT_INVALID for bytes that are no UTF-8 (the maximal part that could have begun a character, so
 * that one U+FFFD stands for it as in Python). */
size_t text_next(const char *bytes, size_t n, uint32_t *cp);

/* Copies for printing, heap. Visible: control characters and what is not UTF-8 as \n, \t, \xNN.
 * HF: as GPT-2's files write a token ("Ġcat"). */
char *text_visible(const char *bytes, size_t n);
char *text_hf(const char *bytes, size_t n);
/* The same for a token: visible in double quotes (" cat"), and as HF writes it. */
char *text_token(const gpt2c_tokenizer *tokenizer, gpt2c_token token);
char *text_token_hf(const gpt2c_tokenizer *tokenizer, gpt2c_token token);

/* The color, of a terminal's 256, for a probability: red for what surprised, green for what was
 * expected. */
int text_color_of_p(double p);
/* Columns that a terminal gives to UTF-8 text. */
size_t text_width(const char *text);
/* Prints text and spaces up to `width` columns; right: the spaces first. */
void text_pad(FILE *f, const char *text, size_t width, bool right);
/* The shortest digits (6 to 9) that read back as x, which is finite; returns out. */
const char *text_float(char out[32], float x);
/* One field of a CSV line, quoted where that is needed. */
void text_csv(FILE *f, const char *text);

#endif
