# The example at the head of gpt2c.h as a whole program: awk -f manual.awk gpt2c.h > manual.c
BEGIN {
    print "#include <gpt2c/gpt2c.h>\n#include <stdio.h>\n\nint main(void)\n{"
}
/^ \*   / { sub(/gpt2c_error err;/, "gpt2c_error err = {GPT2C_OK, \"\"};"); print " " substr($0, 3); n++; next }
n { exit }
END {
    print "    return err.code != 0;\n}"
    exit n < 10
}
