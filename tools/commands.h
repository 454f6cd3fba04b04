/* The commands of the program, each defined in cmd_NAME.c; main.c lists them in the order of the
 * help. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "cli.h"

extern const struct cli_command cmd_attn;
extern const struct cli_command cmd_bench;
extern const struct cli_command cmd_convert;
extern const struct cli_command cmd_detokenize;
extern const struct cli_command cmd_dump;
extern const struct cli_command cmd_embed;
extern const struct cli_command cmd_generate;
extern const struct cli_command cmd_heads;
extern const struct cli_command cmd_inspect;
extern const struct cli_command cmd_lens;
extern const struct cli_command cmd_next;
extern const struct cli_command cmd_posenc;
extern const struct cli_command cmd_ppl;
extern const struct cli_command cmd_tokenize;
extern const struct cli_command cmd_verify;

#endif
