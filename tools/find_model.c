/* Where the model is: -m or $GPT2C_MODEL (a path, else an id in the Hugging Face cache); else
 * weights/gpt2, the cached GPT-2, and the built-in default. Data of our own is looked for beside
 * the executable, or in the source tree when the executable stands in its build folder; nothing is
 * ever taken from the current folder unasked. */
#include "cli.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

/* "%s%s" into path [cap]; false when it is too long. */
static bool join(char *path, size_t cap, const char *a, const char *b)
{
    const int n = snprintf(path, cap, "%s%s", a, b);
    return n >= 0 && (size_t)n < cap;
}

static bool holds_model(const char *folder)
{
    char path[PATH_MAX];
    return join(path, sizeof path, folder, "/config.json") && exists(path) &&
           ((join(path, sizeof path, folder, "/model.safetensors") && exists(path)) ||
            (join(path, sizeof path, folder, "/model.safetensors.index.json") && exists(path)));
}

/* ---- the Hugging Face cache ------------------------------------------------------------------ */

/* Name or owner/name in the alphabet of the hub; so never a path out of the cache. */
static bool is_hub_id(const char *text)
{
    int n_slashes = 0;
    char before = '/';
    for (const char *p = text; *p; before = *p++) {
        const bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                            (*p >= '0' && *p <= '9') || *p == '_' || *p == '-';
        if (*p == '/' ? before == '/' || ++n_slashes > 1
                      : !letter && (*p != '.' || before == '/' || before == '.')) {
            return false;
        }
    }
    return before != '/';
}

static bool hub_cache(char *path, size_t cap)
{
    static const struct {
        const char *variable, *below;
    } places[] = {
        {"HF_HUB_CACHE", ""},
        {"HUGGINGFACE_HUB_CACHE", ""},
        {"HF_HOME", "/hub"},
        {"XDG_CACHE_HOME", "/huggingface/hub"},
        {"HOME", "/.cache/huggingface/hub"},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *value = getenv(places[i].variable);
        if (value && *value) {
            return join(path, cap, value, places[i].below);
        }
    }
    return false;
}

/* The commit that refs/main names, into revision [cap]. */
static bool read_revision(const char *path, char *revision, size_t cap)
{
    FILE *f = fopen(path, "r");
    const bool read = f && fgets(revision, (int)cap, f);
    if (f) {
        fclose(f);
    }
    if (!read) {
        return false;
    }
    revision[strcspn(revision, " \t\r\n")] = '\0';
    return *revision && is_hub_id(revision) && !strchr(revision, '/');
}

/* The folder of the snapshot of refs/main of `id`, into path [cap]. */
static bool find_cached(const char *id, char *path, size_t cap)
{
    char repository[PATH_MAX];
    char refs[PATH_MAX];
    char revision[128];
    if (!is_hub_id(id) || !hub_cache(repository, sizeof repository)) {
        return false;
    }
    size_t n = strlen(repository);
    const char *slash = strchr(id, '/');
    const int added = slash ? snprintf(repository + n, sizeof repository - n, "/models--%.*s--%s",
                                       (int)(slash - id), id, slash + 1)
                            : snprintf(repository + n, sizeof repository - n, "/models--%s", id);
    if (added < 0 || (size_t)added >= sizeof repository - n ||
        !join(refs, sizeof refs, repository, "/refs/main") ||
        !read_revision(refs, revision, sizeof revision)) {
        return false;
    }
    n = (size_t)snprintf(path, cap, "%s/snapshots/%s", repository, revision);
    return n < cap && exists(path);
}

/* ---- our own data ---------------------------------------------------------------------------- */

/* The folder that holds `weights`, into root [cap]: ../share/gpt2c of the executable's folder, or
 * the source tree. */
static bool find_data(char *root, size_t cap)
{
    static const char build_root[] = GPT2C_BUILD_ROOT "/";
    char program[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0) {
        return false;
    }
    program[n] = '\0';
    if (strncmp(program, build_root, sizeof build_root - 1) == 0) {
        return join(root, cap, GPT2C_SOURCE_ROOT, "");
    }
    char *slash = strrchr(program, '/');
    if (!slash) {
        return false;
    }
    *slash = '\0';
    return join(root, cap, program, "/../share/gpt2c");
}

static bool find_own(const char *name, char *path, size_t cap)
{
    char root[PATH_MAX];
    return find_data(root, sizeof root) && join(path, cap, root, name) && holds_model(path);
}

/* ---- all ------------------------------------------------------------------------------------- */

static int find_named(const char *model, const char *from, char *path, size_t cap)
{
    char cache[PATH_MAX];
    if (exists(model)) {
        return join(path, cap, model, "") ? EXIT_OK
                                          : cli_fail(EXIT_USAGE, "%s: the path is too long", from);
    }
    if (find_cached(model, path, cap)) {
        return EXIT_OK;
    }
    if (is_hub_id(model) && hub_cache(cache, sizeof cache)) {
        return cli_fail(EXIT_MODEL, "%s: %s: no such file or folder, and no such model in %s", from,
                        model, cache);
    }
    return cli_fail(EXIT_MODEL, "%s: %s: no such file or folder", from, model);
}

int cli_find_model(const struct cli_common *common, char *path, size_t cap)
{
    static const char *const cached[] = {"openai-community/gpt2", "gpt2"};
    const char *variable = getenv("GPT2C_MODEL");
    if (common->model) {
        return find_named(common->model, "--model", path, cap);
    }
    if (variable && *variable) {
        return find_named(variable, "$GPT2C_MODEL", path, cap);
    }
    if (find_own("/weights/gpt2", path, cap)) {
        return EXIT_OK;
    }
    for (size_t i = 0; i < sizeof cached / sizeof *cached; i++) {
        if (find_cached(cached[i], path, cap) && holds_model(path)) {
            return EXIT_OK;
        }
    }
    if (find_own("/weights/default", path, cap)) {
        return EXIT_OK;
    }
    return cli_fail(EXIT_MODEL, "no model found: give its folder with -m");
}
