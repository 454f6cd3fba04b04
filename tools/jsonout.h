/* JSON documents for --json: cJSON, with bytes that need not be UTF-8, numbers that keep their
 * precision, and no out-of-memory checks at each step (the program ends with EXIT_MEMORY). */
#ifndef JSONOUT_H
#define JSONOUT_H

#include "outfile.h"

#include <cjson/cJSON.h>
#include <stdint.h>

/* A new document {"schema":1}; the caller adds to it by cJSON and by the functions below. */
cJSON *jsonout_document(void);

/* A string of any bytes: what is not UTF-8 becomes U+FFFD, as Python's decode(errors="replace")
 * does; NUL bytes stay. */
cJSON *jsonout_string(const char *bytes, size_t n_bytes);
cJSON *jsonout_float(float x);   /* the shortest digits that read back as x; null unless finite */
cJSON *jsonout_double(double x); /* 17 digits at most; null unless finite */
cJSON *jsonout_int(int64_t x);
cJSON *jsonout_ints(const int32_t *v, size_t n);

/* Writes the document and a newline, then deletes it. Returns an exit code. */
int jsonout_write(cJSON *document, FILE *f);
/* The same to stdout or another output, whole or not at all. */
int jsonout_print(cJSON *document, const char *output);

#endif
