/* What the tokenizer's files share. */
#ifndef TOKENIZER_H
#define TOKENIZER_H

#include "vocab.h"

struct gpt2c_tokenizer {
    struct vocab vocab;
};

#endif
