#!/bin/sh
# check_style.sh ROOT: the rules of the code that a script can check. Prints each breach as
# file:line: rule, and fails if there is one. Needs sh, find and awk.
set -eu
cd "$1"

find include src tools tests -type f \( -name '*.[ch]' -o -name '*.cpp' -o -name '*.inc' \) |
    LC_ALL=C sort > "${TMPDIR:-/tmp}/check_style.$$"
trap 'rm -f "${TMPDIR:-/tmp}/check_style.$$"' EXIT

LC_ALL=C awk '
function breach(rule) {
    printf "%s:%d: %s\n", path, line, rule
    n_breaches++
}

# The line without string contents and comments; in_comment carries over lines.
function code_of(s,    out, c, two, quote, i) {
    out = ""
    quote = ""
    for (i = 1; i <= length(s); i++) {
        c = substr(s, i, 1)
        two = substr(s, i, 2)
        if (in_comment) {
            if (two == "*/") { in_comment = 0; i++ }
        } else if (quote != "") {
            if (c == "\\") i++
            else if (c == quote) { quote = ""; out = out c }
        } else if (two == "/*") {
            in_comment = 1
            i++
        } else if (two == "//") {
            break
        } else {
            if (c == "\"" || c == "\047") quote = c
            out = out c
        }
    }
    return out
}

# Length in characters: the continuation bytes of UTF-8 do not count.
function width(s) {
    gsub(/[\200-\277]/, "", s)
    return length(s)
}

function calls(name) {
    return code ~ ("(^|[^A-Za-z0-9_>.])" name "[ ]*\\(")
}

# What a line #include "NAME" names.
function included(    name) {
    name = raw
    sub(/^[^"]*"/, "", name)
    sub(/".*$/, "", name)
    return name
}

function base(name) {
    sub(/^.*\//, "", name)
    return name
}

function check_line(    name, module, part) {
    if (line == 1) generated = path ~ /_(tables|data)\.[ch]$/
    if (line <= 3 && raw ~ /do not edit/) generated = 1
    if (width(raw) > 100 && !generated) breach("line longer than 100 columns")
    if (raw ~ /\t/ && !generated) breach("tab")
    if (raw ~ /[ \t]$/) breach("space at the end of the line")
    if (raw ~ /(^|[^A-Za-z0-9])(TODO|FIXME|XXX|HACK)([^A-Za-z0-9]|$)/) breach("mark of unfinished work")
    code = code_of(raw)
    if (code ~ /^#if 0/) breach("#if 0")
    if (code ~ /#[ ]*pragma[ ]+omp|omp\.h/ && path != "src/team.c") breach("OpenMP outside src/team.c")
    if (path ~ /\.h$/ && line == 1 && raw !~ /^\/\*/) breach("header without a comment at its head")

    if (calls("strcpy") || calls("strcat") || calls("sprintf") || calls("vsprintf") || calls("gets"))
        breach("unbounded string function")
    if (calls("atoi") || calls("atol") || calls("atof")) breach("conversion that hides errors")
    if (calls("alloca")) breach("alloca")
    if (calls("system") || calls("popen")) breach("runs a shell")

    if (path ~ /^src\//) {
        if (calls("exit") || calls("_exit") || calls("abort") || calls("quick_exit"))
            breach("the library ends the process")
        if (calls("printf") || calls("puts") || calls("putchar") || code ~ /(^|[^A-Za-z0-9_])(stdout|stderr)([^A-Za-z0-9_]|$)/)
            breach("the library prints")
        if (calls("getenv") || calls("secure_getenv")) breach("the library reads the environment")
        if (calls("signal") || calls("sigaction")) breach("the library installs a handler")
        if (calls("setlocale")) breach("the library changes the locale")
        if ((calls("mmap") || calls("munmap")) && path != "src/mapfile.c" && path != "src/arena.c")
            breach("mmap outside src/mapfile.c and src/arena.c")
        if (calls("malloc") || calls("calloc") || calls("realloc"))
            if (path ~ /^src\/(forward|ops|kvcache|kernels\/[a-z0-9_]*)\.c$/) breach("allocation on the hot path")
        if (raw ~ /#[ ]*include[ ]*[<"](\.\.\/)*tools\//) breach("the library includes tools")
        if (raw ~ /#[ ]*include[ ]*[<"](cjson\/)?cJSON\.h/ && path !~ /^src\/(safetensors|config|tokenizer|model|json)[a-z_]*\.[ch]$/)
            breach("cJSON outside the parsers")
        if (raw ~ /#[ ]*include[ ]*<[a-z]*intrin\.h>/ && path !~ /^src\/(kernels\/|cpu\.c$|team\.c$)/)
            breach("intrinsics outside src/kernels")
    }
    if (path ~ /^src\/kernels\// && raw ~ /#[ ]*include[ ]*"/ &&
        raw !~ /"(cpu|config|status|tiers|gpt2c\/gpt2c)\.h"/ && !(("src/kernels/" base(included())) in known))
        breach("kernels know nothing above them")
    if (path ~ /^tools\// && raw ~ /#[ ]*include[ ]*"/) {
        name = included()
        if (name != "gpt2c/gpt2c.h" && name !~ /^stb_/ && name !~ /^cJSON/ && !(("tools/" name) in known))
            breach("tools include only their own headers and gpt2c.h: " name)
    }

    # Functions that other files can call begin with the name of their file, or of its module when a
    # file is split: avx2_gemm.c defines avx2_…; public ones begin with gpt2c_.
    if (path ~ /^(src|tools)\/.*\.c$/ && code ~ /^[a-z_][A-Za-z0-9_ \*]*[ \*][a-z_][A-Za-z0-9_]*\(/ &&
        code !~ /^(static|typedef|extern|return|else|struct [a-z_]+ [a-z_]+ =)/ && code !~ /;[ ]*$/ && code !~ /=/) {
        name = code
        sub(/\(.*$/, "", name)
        sub(/^.*[ \*]/, "", name)
        module = path
        sub(/^.*\//, "", module)
        sub(/\.c$/, "", module)
        part = module
        sub(/_.*$/, "", part)
        if (name != "main" && index(name, "gpt2c_") != 1 && index(name, module) != 1 && index(name, part "_") != 1 &&
            !(part == "cmd" && index(name, "cmd_") == 1) && !(module == "status" && name ~ /^size_/) &&
            !(path ~ /^src\/kernels\// && name ~ /^(kernels_|b?f16_to_f32$|f32_to_b?f16$)/) &&
            !(path ~ /^tools\// && index(name, "cli_") == 1))
            breach("function " name " is visible to other files: it should begin with " module "_")
    }
}

{
    files[++n_files] = $0
    known[$0] = 1
}

END {
    for (i = 1; i <= n_files; i++) {
        path = files[i]
        if (path ~ /\.inc$/) continue
        line = 0
        in_comment = 0
        while ((getline raw < path) > 0) {
            line++
            check_line()
        }
        close(path)
        if (line > 600 && path ~ /^(src|tools|include)\// && !generated)
            printf "%s: note: %d lines; past 600 a file is split by what it does\n", path, line
    }
    printf "%d files, %d breaches\n", n_files, n_breaches
    exit n_breaches > 0
}' "${TMPDIR:-/tmp}/check_style.$$"
