/* The bar chart of the tokens that may come next. */
#ifndef NEXT_CHART_H
#define NEXT_CHART_H

#include "dist.h"

/* Draws the k tokens of `top`, the likeliest first, as a PNG. Returns an exit code. */
int next_chart(const gpt2c_tokenizer *tokenizer, const struct dist *d, const gpt2c_token *top,
               int32_t k, const char *path);

#endif
