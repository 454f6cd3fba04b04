#!/bin/sh
# test_install.sh NINJA BUILD: what is installed works where it stands: everything is there, and the
# program finds its model beside it, from any folder.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
DESTDIR=$place "$1" -C "$2" install > "$place/log" 2>&1 || {
    cat "$place/log"
    exit 1
}
for pattern in '*/bin/gpt2c' '*/include/gpt2c/gpt2c.h' '*/pkgconfig/gpt2c.pc' '*/libgpt2c.a' \
    '*/libgpt2c.so' '*/share/gpt2c/LICENSE' '*/share/gpt2c/weights/default/model.safetensors'; do
    [ -n "$(find "$place" -path "$pattern")" ] || {
        echo "not installed: $pattern"
        exit 1
    }
done
program=$(find "$place" -path '*/bin/gpt2c')
unset GPT2C_MODEL HF_HOME HF_HUB_CACHE HUGGINGFACE_HUB_CACHE XDG_CACHE_HOME
cd "$place"
HOME=$place "$program" next --prompt 'The dog' -k 1 -v > out 2> err || {
    cat err
    exit 1
}
grep -q 'share/gpt2c/weights/default' err || {
    echo "the installed program took another model:"
    cat err
    exit 1
}
