/* The entries that every vocabulary needs: "!": 0, … for all 256 bytes, as vocab.json writes them.
 */
#ifndef ALL_BYTES_H
#define ALL_BYTES_H

#include <stdio.h>

/* Appends them to out [8192]; returns how many characters. */
static inline size_t all_bytes_write(char *out)
{
    size_t n = 0;
    unsigned next = 0x100;
    for (unsigned byte = 0; byte < 256; byte++) {
        const int printable =
            (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
        n += (size_t)snprintf(out + n, 8192 - n, "%s\"\\u%04x\":%u", byte ? "," : "",
                              printable ? byte : next++, byte);
    }
    return n;
}

#endif
