/* The view of a matrix, character for character what NumPy prints. */
#include "npview.h"
#include "check.h"

#include <stdint.h>
#include <stdlib.h>

struct golden {
    size_t n_row, n_col;
    uint32_t seed;
    int32_t shift;
    float scale;
    const char *text;
};

#include "npview_golden.h"

int main(void)
{
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        const struct golden *g = &golden[i];
        const size_t n = g->n_row * g->n_col;
        uint32_t seed = g->seed;
        char text[32768] = "";
        float *x = calloc(n, sizeof *x);
        FILE *f = fmemopen(text, sizeof text, "w");
        if (CHECK(x && f)) {
            for (size_t j = 0; j < n; j++) {
                seed = (seed * 1103515245u + 12345u) & 0x7fffffffu;
                x[j] = (float)((int32_t)(seed / 65536 % 1024) - g->shift) / 1024.0f * g->scale;
            }
            npview_print(f, x, g->n_row, g->n_col);
            fclose(f);
            CHECK_STR(text, g->text);
        }
        free(x);
    }
    return check_result();
}
