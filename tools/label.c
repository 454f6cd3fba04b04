/* Any token has a label: what the font or UTF-8 cannot show appears as an escape. */
#include "label.h"

#include "cli.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const label_style_names[] = {"text", "hf", "id", "none", NULL};

static char *label_one(const struct font *font, const gpt2c_tokenizer *tokenizer, gpt2c_token token,
                       enum label_style style)
{
    char id[16];
    char *hf = NULL;
    size_t n_bytes = 0;
    const char *bytes = gpt2c_tokenizer_bytes(tokenizer, token, &n_bytes);
    if (style == LABEL_ID || !bytes) {
        snprintf(id, sizeof id, "%d", token);
        bytes = id;
        n_bytes = strlen(id);
    } else if (style == LABEL_HF) {
        hf = text_token_hf(tokenizer, token);
        bytes = hf;
        n_bytes = strlen(hf);
    }
    char *label = plot_escape_px(font, bytes, n_bytes, true, PLOT_PT_LABEL, 110);
    free(hf);
    return label;
}

static char *with_number(char *label, size_t pos)
{
    char *out = NULL;
    if (label && asprintf(&out, "%s%c  %zu", label, FONT_SOFT, pos) < 0) {
        out = NULL;
    }
    free(label);
    return out;
}

char **label_create(const gpt2c_tokenizer *tokenizer, const gpt2c_token *tok, size_t n_tok,
                    enum label_style style, bool numbered)
{
    if (style == LABEL_NONE) {
        return NULL;
    }
    struct font *font = font_create();
    char **labels = cli_alloc(n_tok, sizeof *labels);
    for (size_t i = 0; i < n_tok; i++) {
        labels[i] = font ? label_one(font, tokenizer, tok[i], style) : NULL;
        labels[i] = numbered ? with_number(labels[i], i) : labels[i];
        if (!labels[i]) {
            exit(cli_fail(EXIT_MEMORY, "out of memory: labels of %zu tokens", n_tok));
        }
    }
    font_free(&font);
    return labels;
}

void label_free(char **labels, size_t n_tok)
{
    for (size_t i = 0; labels && i < n_tok; i++) {
        free(labels[i]);
    }
    free(labels);
}
