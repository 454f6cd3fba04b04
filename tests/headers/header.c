/* The public header needs nothing before it, and may be included twice. */
#include "gpt2c/gpt2c.h"
#include "gpt2c/gpt2c.h"

#include <string.h>

int main(void)
{
    return strcmp(gpt2c_status_text(GPT2C_OK), "") == 0;
}
