/* Result files that appear whole or not at all. */
#ifndef OUTFILE_H
#define OUTFILE_H

#include <stdio.h>

struct outfile {
    FILE *f;         /* write here */
    char *path;      /* the target, symlinks resolved; NULL: stdout or direct */
    char *temporary; /* name in the target's folder until commit; NULL: written straight */
    char *buffer;    /* stdout: collected until commit, so that a failure leaves it empty */
    size_t n_buffer;
    const char *name; /* as given, for messages */
};

/* path "-" or NULL: stdout, collected until outfile_commit. A regular or absent file: a temporary
 * name, renamed by commit. Anything else (FIFO, device): written straight. Each returns an exit
 * code and prints its error. */
int outfile_open(struct outfile *out, const char *path);
/* For results that may be larger than memory: when stdout has collected more than n_bytes, writes
 * them and collects anew. A failure after that leaves what was written. Returns an exit code. */
int outfile_spill(struct outfile *out, size_t n_bytes);
int outfile_commit(struct outfile *out); /* flush, check, rename; always ends the life of *out */
void outfile_discard(struct outfile *out); /* leaves nothing behind; ok after commit, or zeroed */

/* Unlinks the temporary files that are open; for handlers of signals that end the program. */
void outfile_remove_temporaries(void);

#endif
