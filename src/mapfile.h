/* Read-only files in memory, mapped or read. The only user of mmap on files. */
#ifndef MAPFILE_H
#define MAPFILE_H

#include "gpt2c/gpt2c.h"

struct mapfile {
    const unsigned char *data; /* [n_bytes]; valid until mapfile_close, NULL when empty */
    size_t n_bytes;
    char *path;  /* as given, for messages */
    bool mapped; /* false: read into the heap */
};

/* Opens a regular file whole. Directories, pipes and devices are refused, as is a file of more than
 * max_bytes (0: no limit). A Git LFS pointer or an HTML page in place of data is recognised and
 * named. use_mmap false: the bytes are copied and cannot change later. On failure *out is
 * zeroed. */
gpt2c_status mapfile_open(struct mapfile *out, const char *path, bool use_mmap, size_t max_bytes,
                          gpt2c_error *err);
void mapfile_close(struct mapfile *file); /* zeroes it; a zeroed one is ok */

/* Gives mapped pages wholly inside [data + begin, data + end) back to the system: they are read
 * again from the page cache if touched. Nothing to do for a file in the heap. */
void mapfile_release(const struct mapfile *file, size_t begin, size_t end);

#endif
