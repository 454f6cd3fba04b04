/* The form of a result file, by the ending of its name. */
#ifndef ENDING_H
#define ENDING_H

#include "cli.h"

enum ending {
    ENDING_NONE, /* no file; ends a list */
    ENDING_PNG,
    ENDING_NPY,
    ENDING_CSV,
    ENDING_JSON
};

/* The ending of -o into *out, letters of either case; "-" (stdout) takes the first of those
 * allowed. EXIT_USAGE with a message that lists them when it has none of them, or when stdout would
 * get both the file and --json. */
int ending_find(const struct cli_common *common, const enum ending *allowed, enum ending *out);

#endif
