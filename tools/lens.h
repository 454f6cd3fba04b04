/* The logit lens: what the model would predict if it ended after each of its blocks. */
#ifndef LENS_H
#define LENS_H

#include "prompt.h"

enum { LENS_COLUMNS = 64 }; /* of a picture: a cell has to hold a word */

struct lens_guess {
    gpt2c_token id;
    double p;
};

struct lens {
    struct prompt prompt;
    int32_t k;                /* guesses of each cell, at most n_vocab           */
    int32_t *pos;             /* [n_pos], the positions that are looked at       */
    int32_t n_pos;
    int32_t n_asked;          /* n_pos before what a picture leaves out was left out */
    float *hidden;            /* [n_layer][n_pos][n_embd], the residual stream   */
    struct lens_guess *guess; /* [n_layer + 1][n_pos][k], the likeliest first    */
};

/* Each returns an exit code and prints its error. */

/* Fills hidden and guess; prompt, k and pos are set. */
int lens_compute(struct lens *lens, const struct cli_common *common);
/* The k guesses of layer i (0 … n_layer blocks done) at the position number `at`. */
const struct lens_guess *lens_cell(const struct lens *lens, int32_t layer, int32_t at);
/* A row for each layer, a column for each of the last LENS_COLUMNS positions. */
int lens_draw(const struct lens *lens, const char *path);

#endif
