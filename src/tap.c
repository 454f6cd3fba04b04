/* Handing activations to the caller's function. */
#include "tap.h"

bool tap_rows(const struct tap *tap, gpt2c_what what, int32_t layer, const struct buffer *b,
              int32_t n_head, int32_t n_cols, const struct rows *rows)
{
    const int32_t n_part = n_head > 0 ? n_head : 1;
    for (int32_t is = 0; is < rows->n_spans; is++) {
        const struct span *sp = &rows->spans[is];
        for (int32_t ih = 0; ih < n_part; ih++) {
            const gpt2c_activation a = {
                .what = what,
                .layer = layer,
                .head = n_head > 0 ? ih : -1,
                .seq = sp->seq,
                .pos = sp->pos,
                .n_rows = sp->n_tok,
                .n_cols = n_cols,
                .ld = b->ld,
                .data = buffer_row(*b, sp->row) + (size_t)ih * (size_t)n_cols,
            };
            if (tap->fn(tap->user, &a) != 0) {
                return false;
            }
        }
    }
    return true;
}

bool tap_maps(const struct tap *tap, gpt2c_what what, int32_t layer, const struct buffer *att,
              int32_t n_head, const struct att_block *block)
{
    for (int32_t ih = 0; ih < n_head; ih++) {
        const gpt2c_activation a = {
            .what = what,
            .layer = layer,
            .head = ih,
            .seq = block->seq,
            .pos = block->pos,
            .n_rows = block->n_row,
            .n_cols = block->n_kv,
            .ld = att->ld,
            .data = buffer_row(*att, ih * block->n_row),
        };
        if (tap->fn(tap->user, &a) != 0) {
            return false;
        }
    }
    return true;
}
