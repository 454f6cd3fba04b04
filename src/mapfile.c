/* Read-only files in memory. One descriptor from open to mmap, so that what was checked is what is
 * mapped. Refuses everything but regular files, and names the two things that are most often found
 * in place of weights: a Git LFS pointer and an HTML page. */
#include "mapfile.h"

#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define READ_CHUNK ((size_t)64 << 20) /* one read(2) moves at most 2 GiB */

static bool starts_with(const struct mapfile *file, size_t at, const char *prefix)
{
    const size_t n = strlen(prefix);
    return file->n_bytes - at >= n && strncasecmp((const char *)file->data + at, prefix, n) == 0;
}

/* What a failed download leaves. */
static gpt2c_status check_stand_in(const struct mapfile *file, gpt2c_error *err)
{
    size_t at = 0;
    if (starts_with(file, 0, "version https://git-lfs")) {
        return status_fail(err, GPT2C_E_FORMAT,
                           "%s: this is a Git LFS pointer, not the file itself (git lfs pull)",
                           file->path);
    }
    while (at < file->n_bytes && strchr(" \t\r\n", file->data[at]) && file->data[at]) {
        at++;
    }
    if (starts_with(file, at, "<!doctype html") || starts_with(file, at, "<html")) {
        return status_fail(err, GPT2C_E_FORMAT, "%s: this is an HTML page, not the file itself",
                           file->path);
    }
    return GPT2C_OK;
}

static gpt2c_status read_all(struct mapfile *file, int fd, gpt2c_error *err)
{
    const size_t align = file->n_bytes >= HUGE_PAGE ? HUGE_PAGE : 64;
    void *data = NULL;
    size_t n_read = 0;
    if (posix_memalign(&data, align, file->n_bytes) != 0) {
        return status_fail(err, GPT2C_E_NOMEM, "%s: cannot allocate %zu bytes", file->path,
                           file->n_bytes);
    }
    file->data = data;
#if defined(MADV_HUGEPAGE)
    if (align == HUGE_PAGE) {
        madvise(data, file->n_bytes & ~(HUGE_PAGE - 1), MADV_HUGEPAGE); /* only advice */
    }
#endif
    while (n_read < file->n_bytes) {
        const size_t left = file->n_bytes - n_read;
        const ssize_t n =
            read(fd, (unsigned char *)data + n_read, left < READ_CHUNK ? left : READ_CHUNK);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return status_fail(err, GPT2C_E_IO, "%s: %s", file->path, strerror(errno));
        }
        if (n == 0) {
            return status_fail(err, GPT2C_E_IO, "%s: expected %zu bytes, found %zu (it shrank)",
                               file->path, file->n_bytes, n_read);
        }
        n_read += (size_t)n;
    }
    return GPT2C_OK;
}

static gpt2c_status load(struct mapfile *file, int fd, bool use_mmap, size_t max_bytes,
                         gpt2c_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return status_fail(err, GPT2C_E_IO, "%s: %s", file->path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return status_fail(err, GPT2C_E_FORMAT, "%s: expected a regular file, found a %s",
                           file->path,
                           S_ISDIR(st.st_mode)    ? "directory"
                           : S_ISFIFO(st.st_mode) ? "pipe"
                                                  : "device or socket");
    }
    if (st.st_size < 0 || (uintmax_t)st.st_size > SIZE_MAX / 2) {
        return status_fail(err, GPT2C_E_NOMEM, "%s: too large for this machine's addresses",
                           file->path);
    }
    if (max_bytes && (uintmax_t)st.st_size > max_bytes) {
        return status_fail(err, GPT2C_E_FORMAT, "%s: expected at most %zu bytes, found %ju",
                           file->path, max_bytes, (uintmax_t)st.st_size);
    }
    file->n_bytes = (size_t)st.st_size;
    if (file->n_bytes == 0) {
        return GPT2C_OK;
    }
    if (!use_mmap) {
        return read_all(file, fd, err);
    }
    void *data = mmap(NULL, file->n_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
        const gpt2c_status code = errno == ENOMEM ? GPT2C_E_NOMEM : GPT2C_E_IO;
        return status_fail(err, code, "%s: cannot map %zu bytes: %s", file->path, file->n_bytes,
                           strerror(errno));
    }
    file->data = data;
    file->mapped = true;
    return GPT2C_OK;
}

gpt2c_status mapfile_open(struct mapfile *out, const char *path, bool use_mmap, size_t max_bytes,
                          gpt2c_error *err)
{
    int fd;
    *out = (struct mapfile){.path = strdup(path)};
    if (!out->path) {
        return status_fail(err, GPT2C_E_NOMEM, "%s: out of memory", path);
    }
    do { /* O_NONBLOCK: opening a pipe must not wait for its writer */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    } while (fd < 0 && errno == EINTR);
    gpt2c_status st;
    if (fd < 0) {
        st = status_fail(err, GPT2C_E_IO, "%s: %s", path, strerror(errno));
    } else {
        st = load(out, fd, use_mmap, max_bytes, err);
        close(fd); /* a mapping stays */
    }
    if (!st) {
        st = check_stand_in(out, err);
    }
    if (st) {
        mapfile_close(out);
    }
    return st;
}

void mapfile_close(struct mapfile *file)
{
    const union {
        const unsigned char *c;
        void *v;
    } data = {file->data};
    if (file->mapped) {
        munmap(data.v, file->n_bytes);
    } else {
        free(data.v);
    }
    free(file->path);
    *file = (struct mapfile){0};
}

void mapfile_release(const struct mapfile *file, size_t begin, size_t end)
{
    const long page = sysconf(_SC_PAGESIZE);
    if (!file->mapped || page <= 0 || end > file->n_bytes) {
        return;
    }
    const size_t mask = (size_t)page - 1;
    const size_t first = (begin + mask) & ~mask;
    const size_t last = end & ~mask;
    if (first < last) {
        const union {
            const unsigned char *c;
            void *v;
        } p = {file->data + first};
        madvise(p.v, last - first, MADV_DONTNEED); /* private and never written: nothing is lost */
    }
}
