/* gpt2c tokenize --jsonl: one text a line. A bad line gives an error in its place, and the others
 * go on. */
#include "jsonout.h"
#include "tokenize.h"

#include <stdlib.h>
#include <string.h>

#define HOLD_BYTES ((size_t)8 << 20)
#define LINE_MAX_BYTES ((size_t)256 << 20)

struct lines {
    struct tokenize_text *text;
    const char *part; /* what was read and is not yet a line */
    size_t n_part;
    char *line; /* the line at hand, heap */
    size_t n_line, cap_line;
    bool end;
};

static int append(struct lines *lines, const char *data, size_t n)
{
    if (n > LINE_MAX_BYTES - lines->n_line) {
        return cli_fail(EXIT_FILE, "%s: a line of more than %zu MB", lines->text->name,
                        LINE_MAX_BYTES >> 20);
    }
    if (lines->n_line + n + 1 > lines->cap_line) {
        lines->cap_line = 2 * (lines->n_line + n + 1);
        lines->line = cli_realloc(lines->line, lines->cap_line, 1);
    }
    memcpy(lines->line + lines->n_line, data, n);
    lines->n_line += n;
    lines->line[lines->n_line] = '\0';
    return EXIT_OK;
}

/* The next line without its end; *found false at the end of the text. Returns an exit code. */
static int next_line(struct lines *lines, bool *found)
{
    int code = append(lines, "", 0);
    lines->n_line = 0;
    *found = false;
    while (!code && !lines->end) {
        const char *newline = lines->n_part ? memchr(lines->part, '\n', lines->n_part) : NULL;
        const size_t n = newline ? (size_t)(newline - lines->part) : lines->n_part;
        if (lines->n_part > 0) {
            *found = true;
            code = append(lines, lines->part, n);
            lines->part += n + (newline != NULL);
            lines->n_part -= n + (newline != NULL);
        }
        if (code || newline) {
            break;
        }
        code = tokenize_next(lines->text, &lines->part, &lines->n_part);
        lines->end = lines->n_part == 0;
    }
    return code;
}

/* The text that a line holds: borrowed from the parsed line; NULL with *why. */
static const char *text_of(const char *line, size_t n, cJSON **parsed, const char **why)
{
    *parsed = NULL;
    if (memchr(line, '\0', n) || strstr(line, "\\u0000")) {
        *why = "NUL characters are not taken in JSON lines";
        return NULL;
    }
    *parsed = cJSON_ParseWithLengthOpts(line, n + 1, NULL, true);
    const cJSON *value = *parsed;
    if (cJSON_IsObject(value)) {
        const cJSON *field = cJSON_GetObjectItemCaseSensitive(value, "text");
        value = field ? field : cJSON_GetObjectItemCaseSensitive(value, "prompt");
    }
    *why = *parsed ? "expected a string, or an object with \"text\"" : "not valid JSON";
    return cJSON_GetStringValue(value);
}

static int write_line(FILE *f, cJSON *line)
{
    char *text = cJSON_PrintUnformatted(line);
    if (text) {
        fprintf(f, "%s\n", text);
    }
    free(text);
    cJSON_Delete(line);
    return EXIT_OK;
}

static int do_line(gpt2c_encoder *encoder, struct cli_tokens *tokens, const struct lines *lines,
                   FILE *f, size_t *n_bad)
{
    gpt2c_error err;
    cJSON *parsed = NULL;
    const char *why = NULL;
    const char *text = text_of(lines->line, lines->n_line, &parsed, &why);
    tokens->n_tok = 0;
    if (text && (gpt2c_encoder_feed(encoder, text, strlen(text), &err) ||
                 gpt2c_encoder_finish(encoder, &err))) {
        why = err.msg;
        text = NULL;
        if (err.code == GPT2C_E_CANCELLED) {
            cJSON_Delete(parsed);
            return cli_fail_status(&err);
        }
    }
    cJSON *line = cJSON_CreateObject();
    if (text) {
        cJSON_AddItemToObject(line, "n_tokens", jsonout_int((int64_t)tokens->n_tok));
        cJSON_AddItemToObject(line, "ids", jsonout_ints(tokens->tok, tokens->n_tok));
    } else {
        cJSON_AddItemToObject(line, "error", jsonout_string(why, strlen(why)));
        ++*n_bad;
    }
    cJSON_Delete(parsed);
    return write_line(f, line);
}

int tokenize_jsonl(gpt2c_encoder *encoder, struct cli_tokens *tokens, struct tokenize_text *text,
                   struct outfile *out, size_t *n_bad)
{
    struct lines lines = {.text = text};
    bool found = false;
    int code = EXIT_OK;
    cJSON_Delete(jsonout_document()); /* sets cJSON's allocator */
    while (!(code = next_line(&lines, &found)) && found) {
        if (lines.n_line > 0) {
            code = do_line(encoder, tokens, &lines, out->f, n_bad);
        }
        if (!code) {
            code = outfile_spill(out, HOLD_BYTES);
        }
        if (code) {
            break;
        }
    }
    free(lines.line);
    return code;
}
