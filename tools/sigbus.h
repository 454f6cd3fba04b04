/* A weights file that shrinks while it is mapped: reading past its new end raises SIGBUS. The
 * handler puts a page of zeros there and remembers the file; whoever ends the work asks for it.
 * Faults at other addresses end the program as always. */
#ifndef SIGBUS_H
#define SIGBUS_H

#include "gpt2c/gpt2c.h"

/* Watches the mappings of a model from now on. */
void sigbus_watch(const gpt2c_model *model);
/* The file that was found too short; NULL: none. */
const char *sigbus_file(void);

#endif
