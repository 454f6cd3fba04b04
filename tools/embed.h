/* The parts of gpt2c embed: the vectors of a text (embed.c), their principal components
 * (embed_pca.c) and the nearest rows of the token table (embed_nearest.c). */
#ifndef EMBED_H
#define EMBED_H

#include "ending.h"
#include "prompt.h"

enum embed_source { /* in place of a layer 0 … n_layer */
    EMBED_WTE = -1,
    EMBED_WPE = -2
};

struct embed {
    struct prompt prompt;
    const char *what; /* the source as it was asked for      */
    float *x;         /* [n_tok][n_embd]; free by the caller */
};

/* Each returns an exit code and prints its error. */

/* The vectors of the open prompt, with the fixed positional encoding added if `add`, into e->x. */
int embed_compute(struct embed *e, const struct cli_common *common, int32_t source, bool add);
/* Shape and view on stdout, or the numbers to a file and as JSON. */
int embed_show(const struct embed *e, const struct cli_common *common, enum ending ending);
/* The first two principal components: table, JSON, numbers or picture. */
int embed_pca(const struct embed *e, const struct cli_common *common, enum ending ending);
/* The k tokens other than `token` (text or id) whose rows of wte are nearest by cosine. */
int embed_nearest(const struct cli_common *common, const char *token, int32_t k,
                  enum ending ending);

#endif
