/* The handler touches only what was stored before it was installed, and mmap is a plain system
 * call: both are safe in a signal handler. */
#include "sigbus.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_FILES 1024 /* as many shards as a model can have */

static struct {
    uintptr_t begin, end; /* whole pages */
    char *file;           /* a copy: the model may be gone when it is asked for */
} mappings[MAX_FILES];
static volatile sig_atomic_t n_mappings;
static volatile sig_atomic_t short_file = -1; /* index of the first that faulted */
static uintptr_t page_bytes;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    const uintptr_t at = (uintptr_t)info->si_addr;
    (void)context;
    for (int i = 0; i < n_mappings; i++) {
        if (at < mappings[i].begin || at >= mappings[i].end) {
            continue;
        }
        void *page = (void *)(at / page_bytes * page_bytes);
        if (mmap(page, page_bytes, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
            MAP_FAILED) {
            break;
        }
        if (short_file < 0) {
            short_file = i;
        }
        return;
    }
    signal(sig, SIG_DFL); /* the access is repeated and ends the program */
}

void sigbus_watch(const gpt2c_model *model)
{
    const void *base;
    const char *file;
    size_t n_bytes;
    page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0;
         n_mappings < MAX_FILES && gpt2c_model_mapping(model, i, &base, &n_bytes, &file); i++) {
        mappings[n_mappings].begin = (uintptr_t)base;
        mappings[n_mappings].end =
            ((uintptr_t)base + n_bytes + page_bytes - 1) / page_bytes * page_bytes;
        mappings[n_mappings].file = strdup(file);
        n_mappings++;
    }
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGBUS, &sa, NULL);
}

const char *sigbus_file(void)
{
    if (short_file < 0) {
        return NULL;
    }
    return mappings[short_file].file ? mappings[short_file].file : "the weights";
}
