/* gpt2c tokenize: what its three ways of output share. */
#ifndef TOKENIZE_H
#define TOKENIZE_H

#include "cli.h"
#include "outfile.h"

/* The text: an argument or option in memory, or a file read as it goes. */
struct tokenize_text {
    const char *data; /* in memory, n_bytes; or NULL */
    size_t n_bytes;
    FILE *f;
    const char *name; /* of the file, for messages */
    bool chomp;
    bool held;    /* chomp: a newline that may be the last */
    char *buffer; /* what was read; free(buffer) */
};

/* The next bytes of the text, borrowed until the next call; *n_bytes 0 at its end. Returns an exit
 * code. */
int tokenize_next(struct tokenize_text *text, const char **data, size_t *n_bytes);
/* The whole text. */
int tokenize_all(struct tokenize_text *text, struct cli_bytes *out);

/* --explain: pieces and merges, for people or as JSON. */
int tokenize_explain(const gpt2c_tokenizer *tokenizer, const struct cli_bytes *text,
                     gpt2c_special special, bool json, bool color, FILE *f);
/* --jsonl: each line a JSON string, or an object with "text" or "prompt"; a line of JSON for each,
 * {"n_tokens":…,"ids":[…]} or {"error":…}. *n_bad counts the latter. */
int tokenize_jsonl(gpt2c_encoder *encoder, struct cli_tokens *tokens, struct tokenize_text *text,
                   struct outfile *out, size_t *n_bad);

#endif
