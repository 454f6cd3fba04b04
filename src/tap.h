/* What a caller asked to see of the activations, and handing it over by spans and heads. */
#ifndef TAP_H
#define TAP_H

#include "ops.h"

struct tap {
    uint32_t what; /* a set of gpt2c_what; 0: nothing */
    gpt2c_tap_fn fn;
    void *user;
};

/* Shows rows of n_cols for each of n_head heads (side by side in a row), or, n_head 0, the whole
 * rows. False: the callback wants no more. */
bool tap_rows(const struct tap *tap, gpt2c_what what, int32_t layer, const struct buffer *b,
              int32_t n_head, int32_t n_cols, const struct rows *rows);
/* Shows the maps of one block of attention, n_head of them below each other. */
bool tap_maps(const struct tap *tap, gpt2c_what what, int32_t layer, const struct buffer *att,
              int32_t n_head, const struct att_block *block);

#endif
