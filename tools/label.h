/* Labels of tokens in pictures. */
#ifndef LABEL_H
#define LABEL_H

#include "gpt2c/gpt2c.h"
#include "plot.h"

enum label_style {
    LABEL_TEXT, /* the bytes as text, spaces and control characters visible */
    LABEL_HF,   /* as GPT-2's files write it: Ġdog                          */
    LABEL_ID,
    LABEL_NONE
};
extern const char *const label_style_names[]; /* NULL-terminated: a CLI_CHOICE */

/* Drawable labels of tok [n_tok], none wider than 110 points; NULL for LABEL_NONE. `numbered` adds
 * the position, for labels that will be thinned out. Ends the program when memory runs out.
 * label_free takes NULL. */
char **label_create(const gpt2c_tokenizer *tokenizer, const gpt2c_token *tok, size_t n_tok,
                    enum label_style style, bool numbered);
void label_free(char **labels, size_t n_tok);

#endif
