// The public header is C++ as well, with C linkage: this links against the C library.
#include "gpt2c/gpt2c.h"

#include <cstring>

int main()
{
    return std::strcmp(gpt2c_status_text(GPT2C_OK), "") == 0;
}
