/* Build step: writes a file's bytes as the initializer of a C array.
 *   embed INPUT OUTPUT */
#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: embed INPUT OUTPUT\n");
        return 2;
    }
    FILE *in = fopen(argv[1], "rb");
    FILE *out = fopen(argv[2], "wb");
    if (!in || !out) {
        perror(in ? argv[2] : argv[1]);
        return 1;
    }
    int c;
    for (size_t i = 0; (c = getc(in)) != EOF; i++) {
        fprintf(out, "%d,%s", c, i % 24 == 23 ? "\n" : "");
    }
    return ferror(in) || fclose(out) ? 1 : 0;
}
