/* Which files are taken, which are refused, and what is said about them. */
#include "check.h"
#include "mapfile.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/gpt2c-test-XXXXXX";
static char path[64];
static gpt2c_error err;

static void write_file(const char *data, size_t n_bytes)
{
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(data, 1, n_bytes, f) == n_bytes);
    if (f) {
        fclose(f);
    }
}

static void check_content(const char *data, size_t n_bytes)
{
    write_file(data, n_bytes);
    for (int use_mmap = 0; use_mmap < 2; use_mmap++) {
        struct mapfile file;
        CHECK_INT(mapfile_open(&file, path, use_mmap, n_bytes, &err), GPT2C_OK);
        CHECK_INT((intmax_t)file.n_bytes, (intmax_t)n_bytes);
        CHECK_INT(file.mapped, use_mmap && n_bytes > 0);
        CHECK(n_bytes == 0 ? file.data == NULL : memcmp(file.data, data, n_bytes) == 0);
        CHECK_STR(file.path, path);
        mapfile_release(&file, 0, n_bytes);
        CHECK(n_bytes == 0 || memcmp(file.data, data, n_bytes) == 0); /* read again */
        mapfile_close(&file);
        CHECK(file.data == NULL && file.path == NULL);
        mapfile_close(&file);
    }
}

static void check_refused(const char *name, size_t max_bytes, gpt2c_status code, const char *part)
{
    for (int use_mmap = 0; use_mmap < 2; use_mmap++) {
        struct mapfile file;
        CHECK_INT(mapfile_open(&file, name, use_mmap, max_bytes, &err), code);
        CHECK_INT(err.code, code);
        CHECK_HAS(err.msg, part);
        CHECK_HAS(err.msg, name);
        CHECK(file.data == NULL && file.path == NULL && file.n_bytes == 0);
        CHECK_INT(mapfile_open(&file, name, use_mmap, max_bytes, NULL), code);
    }
}

int main(void)
{
    if (!mkdtemp(dir)) {
        return CHECK_SKIP;
    }
    snprintf(path, sizeof path, "%s/file", dir);
    static char big[5000001];
    memset(big, 'x', sizeof big);
    check_content("", 0);
    check_content("x", 1);
    check_content("version https://example.org", 27);
    check_content("<not html>", 10);
    check_content(big, sizeof big);
    check_refused(path, sizeof big - 1, GPT2C_E_FORMAT, "expected at most 5000000 bytes");
    write_file("version https://git-lfs.github.com/spec/v1\noid sha256:", 54);
    check_refused(path, 0, GPT2C_E_FORMAT, "Git LFS pointer");
    write_file("\r\n <!DOCTYPE html>", 18);
    check_refused(path, 0, GPT2C_E_FORMAT, "HTML page");
    write_file("<HTML lang=en>", 14);
    check_refused(path, 0, GPT2C_E_FORMAT, "HTML page");
    check_refused(dir, 0, GPT2C_E_FORMAT, "found a directory");
    check_refused("/dev/null", 0, GPT2C_E_FORMAT, "found a device");
    unlink(path);
    check_refused(path, 0, GPT2C_E_IO, "No such file");
    CHECK_INT(mkfifo(path, 0600), 0);
    check_refused(path, 0, GPT2C_E_FORMAT, "found a pipe"); /* without waiting for a writer */
    unlink(path);
    rmdir(dir);
    return check_result();
}
