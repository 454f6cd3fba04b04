/* gpt2c lens: the logit lens as a table, numbers or a picture. Everywhere the first row is the
 * input and the last one the model's answer: read downwards, as the computation runs. */
#include "commands.h"
#include "ending.h"
#include "jsonout.h"
#include "lens.h"
#include "outfile.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const enum ending endings[] = {ENDING_PNG, ENDING_CSV, ENDING_JSON, ENDING_NONE};

/* ---- table ----------------------------------------------------------------------------------- */

enum { LABEL_WIDTH = 5, TEXT_WIDTH = 9, CELL_WIDTH = TEXT_WIDTH + 6, DEFAULT_WIDTH = 80 };

static int32_t cells_across(void)
{
    struct winsize size = {0};
    int width = DEFAULT_WIDTH;
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        width = size.ws_col;
    }
    const int n = (width - LABEL_WIDTH) / CELL_WIDTH;
    return n > 1 ? n : 1;
}

/* What a cell shows of a token: heap, TEXT_WIDTH columns at most. Spaces alone show as boxes. */
static char *cell_text(const struct prompt *p, gpt2c_token token)
{
    size_t n = 0;
    const char *bytes = gpt2c_tokenizer_bytes(p->tokenizer, token, &n);
    char *visible = text_visible(bytes ? bytes : "", n);
    char *text = cli_alloc(3 * strlen(visible) + 4, 1);
    const bool blank = visible[strspn(visible, " ")] == '\0';
    const bool cut = text_width(visible) > TEXT_WIDTH;
    size_t width = 0;
    char *end = text;
    for (const char *at = visible; *at;) {
        uint32_t cp = 0;
        const size_t n_bytes = text_next(at, strlen(at), &cp);
        memcpy(end, blank ? "\xe2\x90\xa3" : at, blank ? 3 : n_bytes); /* U+2423 OPEN BOX */
        width += text_width(end);
        if (width > TEXT_WIDTH - (cut ? 1 : 0)) {
            memset(end, 0, 4);
            break;
        }
        end += strlen(end);
        at += n_bytes;
    }
    memcpy(end, "\xe2\x80\xa6", cut ? 3 : 0); /* U+2026 ELLIPSIS */
    free(visible);
    return text;
}

static void print_token(const struct prompt *p, gpt2c_token token)
{
    char *text = cell_text(p, token);
    text_pad(stdout, text, TEXT_WIDTH, false);
    free(text);
}

static void print_block(const struct lens *lens, int32_t begin, int32_t end)
{
    printf("%-*s", LABEL_WIDTH, "pos");
    for (int32_t i = begin; i < end; i++) {
        printf("%-*d", i + 1 < end ? CELL_WIDTH : 0, lens->pos[i]);
    }
    printf("\n%-*s", LABEL_WIDTH, "text");
    for (int32_t i = begin; i < end; i++) {
        print_token(&lens->prompt, lens->prompt.tokens.tok[lens->pos[i]]);
        printf("%*s", i + 1 < end ? CELL_WIDTH - TEXT_WIDTH : 0, "");
    }
    putchar('\n');
    for (int32_t layer = 0; layer <= lens->prompt.hp->n_layer; layer++) {
        for (int32_t rank = 0; rank < lens->k; rank++) {
            char label[16] = "";
            if (rank == 0) {
                snprintf(label, sizeof label, "%d", layer);
            }
            printf("%-*s", LABEL_WIDTH, label);
            for (int32_t i = begin; i < end; i++) {
                const struct lens_guess *guess = lens_cell(lens, layer, i) + rank;
                print_token(&lens->prompt, guess->id);
                printf(" %3.0f%%%*s", 100.0 * guess->p, i + 1 < end ? 1 : 0, "");
            }
            putchar('\n');
        }
    }
}

static void print_table(const struct lens *lens)
{
    const int32_t n_across = cells_across();
    for (int32_t begin = 0; begin < lens->n_pos; begin += n_across) {
        const int32_t end = begin + n_across < lens->n_pos ? begin + n_across : lens->n_pos;
        if (begin > 0) {
            putchar('\n');
        }
        print_block(lens, begin, end);
    }
}

/* ---- numbers --------------------------------------------------------------------------------- */

static cJSON *make_json(const struct lens *lens)
{
    cJSON *document = jsonout_document();
    cJSON *layers = cJSON_AddArrayToObject(document, "layers");
    for (int32_t layer = 0; layer <= lens->prompt.hp->n_layer; layer++) {
        cJSON *row = cJSON_CreateObject();
        cJSON_AddItemToObject(row, "layer", jsonout_int(layer));
        cJSON *positions = cJSON_AddArrayToObject(row, "positions");
        for (int32_t i = 0; i < lens->n_pos; i++) {
            cJSON *position = cJSON_CreateObject();
            cJSON_AddItemToObject(position, "pos", jsonout_int(lens->pos[i]));
            cJSON *top = cJSON_AddArrayToObject(position, "top");
            for (int32_t rank = 0; rank < lens->k; rank++) {
                const struct lens_guess *guess = lens_cell(lens, layer, i) + rank;
                cJSON *item = cJSON_CreateObject();
                cJSON_AddItemToObject(item, "id", jsonout_int(guess->id));
                cJSON_AddItemToObject(item, "token", prompt_json(&lens->prompt, guess->id));
                cJSON_AddItemToObject(item, "p", jsonout_double(guess->p));
                cJSON_AddItemToArray(top, item);
            }
            cJSON_AddItemToArray(positions, position);
        }
        cJSON_AddItemToArray(layers, row);
    }
    return document;
}

static int write_csv(const struct lens *lens, const char *path)
{
    struct outfile out;
    const int code = outfile_open(&out, path);
    if (code) {
        return code;
    }
    fputs("layer,pos,rank,id,token,p\n", out.f);
    for (int32_t layer = 0; layer <= lens->prompt.hp->n_layer; layer++) {
        for (int32_t i = 0; i < lens->n_pos; i++) {
            for (int32_t rank = 0; rank < lens->k; rank++) {
                const struct lens_guess *guess = lens_cell(lens, layer, i) + rank;
                fprintf(out.f, "%d,%d,%d,%d,", layer, lens->pos[i], rank + 1, guess->id);
                prompt_csv(&lens->prompt, guess->id, out.f);
                fprintf(out.f, ",%.9g\n", guess->p);
            }
        }
    }
    return outfile_commit(&out);
}

/* ---- command --------------------------------------------------------------------------------- */

static int show(const struct lens *lens, const struct cli_common *common, enum ending ending)
{
    int code = EXIT_OK;
    if (ending == ENDING_CSV) {
        code = write_csv(lens, common->output);
    } else if (ending == ENDING_JSON) {
        code = jsonout_print(make_json(lens), common->output);
    } else if (ending) {
        code = lens_draw(lens, common->output);
    }
    if (!code && common->json) {
        code = jsonout_print(make_json(lens), NULL);
    } else if (!code && !ending) {
        print_table(lens);
    }
    return code;
}

/* Says so when a picture cannot hold all positions; when nobody else wants them they are spared. */
static void cut_to_picture(struct lens *lens, const struct cli_common *common)
{
    const int32_t n_cut = lens->n_pos - LENS_COLUMNS;
    lens->n_asked = lens->n_pos;
    if (n_cut <= 0) {
        return;
    }
    cli_note(common, "%s shows the last %d of %d positions; --positions picks others",
             common->output, LENS_COLUMNS, lens->n_pos);
    if (!common->json) {
        memmove(lens->pos, lens->pos + n_cut, LENS_COLUMNS * sizeof *lens->pos);
        lens->n_pos = LENS_COLUMNS;
    }
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
    struct cli_common common = {0};
    struct lens lens = {.k = 1};
    const char *positions = "all";
    const struct cli_option options[] = {
        {'k', "top", "K", CLI_INT, &lens.k, "tokens at each place (default 1)", 1, 100, NULL},
        {0, "positions", "LIST", CLI_STRING, &positions,
         "which positions: all (default), or such as -1 or 0,3-5", 0, 0, NULL},
        {0},
    };
    enum ending ending = ENDING_NONE;
    int code = EXIT_OK;
    if (!cli_parse(cmd, options, &common, argc, argv, NULL, &code) ||
        (code = ending_find(&common, endings, &ending)) != EXIT_OK) {
        return code;
    }
    code = prompt_open(&lens.prompt, &common);
    if (!code) {
        code = cli_parse_list(positions, "positions", (int32_t)lens.prompt.tokens.n_tok, &lens.pos,
                              &lens.n_pos);
    }
    if (!code) {
        if (ending == ENDING_PNG) {
            cut_to_picture(&lens, &common);
        }
        lens.k = lens.k < lens.prompt.hp->n_vocab ? lens.k : lens.prompt.hp->n_vocab;
        code = lens_compute(&lens, &common);
    }
    if (!code) {
        code = show(&lens, &common, ending);
    }
    free(lens.pos);
    free(lens.hidden);
    free(lens.guess);
    prompt_close(&lens.prompt);
    return code;
}

const struct cli_command cmd_lens = {
    .name = "lens",
    .summary = "Show what the model would predict after each layer (the logit lens).",
    .usage = "gpt2c lens [options]",
    .examples = "gpt2c lens --prompt \"The cat sat on the\"\n"
                "gpt2c lens --prompt \"The cat sat on the\" -o lens.png\n"
                "gpt2c lens --prompt \"The cat sat on the\" --positions -1 -k 5",
    .groups = CLI_MODEL | CLI_TEXT | CLI_OUTPUT | CLI_JSON,
    .run = run,
};
