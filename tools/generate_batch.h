/* generate --batch: a file of prompts, one per line, to one line of results each. */
#ifndef GENERATE_BATCH_H
#define GENERATE_BATCH_H

#include "generate.h"

/* Reads path ("-": stdin), runs n_samples samples of each prompt and writes JSON lines to f in the
 * order of the prompts, each as soon as it and those before it are there. A line that cannot be
 * used gets a line with its error, and the run goes on. g->model, tokenizer and params are set.
 * Returns an exit code. */
int generate_batch(struct generator *g, const struct cli_common *common, const char *path,
                   int32_t n_samples, FILE *f);

#endif
