/* Result files that appear whole or not at all: a temporary name in the target's folder that commit
 * renames, memory for stdout, and straight writing for what cannot be renamed over. */
#include "outfile.h"

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names for the signal handlers. A slot is free when NULL. */
#define N_TEMPORARIES 8
static const char *volatile temporaries[N_TEMPORARIES];

static void replace_temporary(const char *from, const char *to)
{
    for (size_t i = 0; i < N_TEMPORARIES; i++) {
        if (temporaries[i] == from) {
            temporaries[i] = to;
            return;
        }
    }
}

void outfile_remove_temporaries(void)
{
    for (size_t i = 0; i < N_TEMPORARIES; i++) {
        if (temporaries[i]) {
            unlink(temporaries[i]);
        }
    }
}

static int fail_errno(const char *name, int why)
{
    if (why == EINTR && cli_interrupted()) {
        return cli_fail(EXIT_INTERRUPTED, "interrupted");
    }
    return cli_fail(EXIT_FILE, "cannot write %s: %s", name, strerror(why ? why : EIO));
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = strdup(slash ? path : ".");
    if (folder && slash) {
        folder[slash == path ? 1 : slash - path] = '\0';
    }
    return folder;
}

/* The file behind path, through symlinks that may dangle: heap, NULL with errno. */
static char *resolve(const char *path)
{
    char *now = strdup(path);
    for (int n_links = 0; now; n_links++) {
        char target[PATH_MAX];
        const ssize_t n = readlink(now, target, sizeof target - 1);
        if (n < 0) {
            return now; /* no link: a file, or a name that is free */
        }
        target[n] = '\0';
        char *folder = folder_of(now);
        char *next = NULL;
        if (n_links >= 40) {
            errno = ELOOP;
        } else if (folder && asprintf(&next, "%s%s%s", target[0] == '/' ? "" : folder,
                                      target[0] == '/' ? "" : "/", target) < 0) {
            next = NULL;
        }
        free(folder);
        free(now);
        now = next;
    }
    return NULL;
}

/* Opens a temporary file beside out->path, with the rights that the target has or would get. */
static int open_temporary(struct outfile *out, const struct stat *target)
{
    char *folder = folder_of(out->path);
    if (!folder || asprintf(&out->temporary, "%s/.gpt2c-XXXXXX", folder) < 0) {
        out->temporary = NULL;
        free(folder);
        return ENOMEM;
    }
    free(folder);
    const int fd = mkostemp(out->temporary, O_CLOEXEC);
    if (fd < 0) {
        const int why = errno;
        free(out->temporary);
        out->temporary = NULL;
        return why;
    }
    replace_temporary(NULL, out->temporary);
    const mode_t mask = umask(0);
    umask(mask);
    /* Best effort: a file system without rights still stores the file. */
    (void)!fchmod(fd, target ? target->st_mode & 0777 : 0666 & ~mask);
    out->f = fdopen(fd, "wb");
    return out->f ? 0 : errno;
}

static int open_path(struct outfile *out, const char *path)
{
    struct stat st;
    const bool exists = stat(path, &st) == 0;
    if (!exists && errno != ENOENT) {
        return errno;
    }
    if (exists && S_ISDIR(st.st_mode)) {
        return EISDIR;
    }
    if (exists && !S_ISREG(st.st_mode)) {
        out->f = fopen(path, "wb");
        return out->f ? 0 : errno;
    }
    if (exists && access(path, W_OK) != 0) {
        return errno; /* a rename would replace a file that is write-protected */
    }
    out->path = resolve(path);
    return out->path ? open_temporary(out, exists ? &st : NULL) : errno;
}

int outfile_open(struct outfile *out, const char *path)
{
    *out = (struct outfile){.name = path};
    int why = 0;
    if (!path || strcmp(path, "-") == 0) {
        out->name = "stdout";
        out->f = open_memstream(&out->buffer, &out->n_buffer);
        why = out->f ? 0 : errno;
    } else {
        why = open_path(out, path);
    }
    if (why) {
        outfile_discard(out);
        return fail_errno(out->name, why);
    }
    return EXIT_OK;
}

/* Closes f; returns 0 or the errno of what went wrong since it was opened. */
static int close_stream(FILE *f)
{
    if (ferror(f)) {
        /* The write that failed left its reason in an errno that is gone: fail once more. */
        clearerr(f);
        fputc('\n', f);
    }
    errno = 0;
    int why = fflush(f) == 0 ? 0 : errno;
    if (fclose(f) != 0 && !why) {
        why = errno;
    }
    return why;
}

static int write_stdout(const char *data, size_t n)
{
    errno = 0;
    const bool ok = fwrite(data, 1, n, stdout) == n && fflush(stdout) == 0;
    const int why = ok ? 0 : (errno ? errno : EIO);
    clearerr(stdout); /* reported here, once */
    return why;
}

int outfile_spill(struct outfile *out, size_t n_bytes)
{
    if (out->path || fflush(out->f) != 0 || !out->buffer || out->n_buffer <= n_bytes) {
        return EXIT_OK; /* an error of the stream is reported by commit */
    }
    int why = close_stream(out->f);
    if (!why) {
        why = write_stdout(out->buffer, out->n_buffer);
    }
    free(out->buffer);
    out->buffer = NULL;
    out->f = why ? NULL : open_memstream(&out->buffer, &out->n_buffer);
    if (!why && !out->f) {
        why = errno;
    }
    return why ? fail_errno(out->name, why) : EXIT_OK;
}

int outfile_commit(struct outfile *out)
{
    const char *name = out->name;
    const int code = cli_check_weights();
    if (code) {
        outfile_discard(out);
        return code;
    }
    const bool failed = ferror(out->f) != 0;
    int why = close_stream(out->f);
    why = failed && !why ? EIO : why;
    out->f = NULL;
    if (!why && out->temporary) {
        why = rename(out->temporary, out->path) == 0 ? 0 : errno;
        if (!why) {
            replace_temporary(out->temporary, NULL);
            free(out->temporary);
            out->temporary = NULL;
        }
    } else if (!why && out->buffer) {
        why = write_stdout(out->buffer, out->n_buffer);
    }
    outfile_discard(out);
    return why ? fail_errno(name, why) : EXIT_OK;
}

void outfile_discard(struct outfile *out)
{
    const char *name = out->name;
    if (out->f) {
        fclose(out->f);
    }
    if (out->temporary) {
        unlink(out->temporary);
        replace_temporary(out->temporary, NULL);
    }
    free(out->temporary);
    free(out->path);
    free(out->buffer);
    *out = (struct outfile){.name = name};
}
