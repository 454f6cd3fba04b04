#!/bin/sh
# Model folders that are none, and outputs that cannot be written.
. "$(dirname "$0")/lib.sh"

model=$root/weights/default
# folder NAME: a copy of the model by links, for one file to be replaced
folder() {
    mkdir "$work/$1"
    for file in config.json model.safetensors vocab.json merges.txt; do
        ln -s "$model/$file" "$work/$1/$file"
    done
}

refused 3 "nowhere" next -m nowhere
refused 3 "model.safetensors" next -m "$work/box"
for command in generate next ppl; do
    refused 3 "model.safetensors" $command -m "$work/box"
done
GPT2C_MODEL=nowhere refused 3 "nowhere" next

folder lfs && rm "$work/lfs/model.safetensors"
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 548105171\n' \
    >"$work/lfs/model.safetensors"
refused 3 "LFS" next -m "$work/lfs"

folder html && rm "$work/html/model.safetensors"
printf '<!DOCTYPE html><html><body>Not found</body></html>' >"$work/html/model.safetensors"
refused 3 "HTML" next -m "$work/html"

folder short && rm "$work/short/model.safetensors"
head -c 1000000 "$model/model.safetensors" >"$work/short/model.safetensors"
refused 3 "model.safetensors" next -m "$work/short"

folder empty && rm "$work/empty/model.safetensors"
: >"$work/empty/model.safetensors"
refused 3 "model.safetensors" next -m "$work/empty"

folder pipe && rm "$work/pipe/model.safetensors"
mkfifo "$work/pipe/model.safetensors"
refused 3 "model.safetensors" next -m "$work/pipe"

folder dir && rm "$work/dir/model.safetensors"
mkdir "$work/dir/model.safetensors"
refused 3 "model.safetensors" next -m "$work/dir"

folder config && rm "$work/config/config.json"
refused 4 "config.json" next -m "$work/config"
printf '{"model_type":"bert"}' >"$work/config/config.json"
refused 3 "bert" next -m "$work/config"
printf '{"model_type":' >"$work/config/config.json"
refused 3 "config.json" next -m "$work/config"

folder words && rm "$work/words/vocab.json"
refused 4 "vocab.json" next -m "$work/words"
printf '{"a":0}' >"$work/words/vocab.json"
refused 3 "words" next -m "$work/words"

# The model's file itself is a model too.
accepted next -m "$model/model.safetensors" -k 1

# Outputs: whole or not at all.
refused 4 "No such file or directory" dump -o nowhere/x.npy --what logits
refused 4 "Is a directory" dump -o "$work" --what logits
refused 4 "No space left" dump -o /dev/full --what logits
n_checks=$((n_checks + 1))
"$gpt2c" next --json </dev/null >/dev/full 2>"$work/err"
same "full disk" $? 4
"$gpt2c" generate -p x -n 3 </dev/null >/dev/full 2>"$work/err"
same "full disk, streaming" $? 4
"$gpt2c" --help >/dev/full 2>"$work/err"
same "full disk, help" $? 4
"$gpt2c" next </dev/null >&- 2>"$work/err"
same "closed stdout" $? 4
code=$("$gpt2c" generate -p x -n 200 --ignore-eos </dev/null 2>"$work/err" | head -c 1 >/dev/null
       echo done)
same "closed pipe" "$code$(cat "$work/err")" "done"
{ "$gpt2c" next -k 50257 </dev/null 2>"$work/err"; echo $? >"$work/code"; } | head -1 >/dev/null
same "closed pipe, exit code" "$(cat "$work/code")" 0

# What was there stays when the command fails, and is replaced when it does not.
echo old >keep.npy
refused 3 "nowhere" dump -m nowhere --what logits -o keep.npy
same "old file" "$(cat keep.npy)" old
ln -s keep.npy link.npy
accepted dump --what hidden --layer 0 -o link.npy
[ -L link.npy ] || fail "the link was replaced by a file"
same "through the link" "$(head -c 6 keep.npy | tail -c 5)" NUMPY
rm -f link.npy keep.npy
ln -s absent.npy dangling.npy
accepted dump --what hidden --layer 0 -o dangling.npy
[ -f absent.npy ] || fail "the target of a dangling link was not made"
rm -f absent.npy dangling.npy
mkfifo fifo.npy
timeout 20 cat fifo.npy >"$work/from_fifo" &
accepted dump --what hidden --layer 0 -o fifo.npy
wait $!
same "through a FIFO" "$(head -c 6 "$work/from_fifo" | tail -c 5)" NUMPY
rm -f fifo.npy
if [ "$(id -u)" -ne 0 ]; then # root may write everywhere
    mkdir locked && chmod a-w locked
    refused 4 "Permission denied" dump --what logits -o locked/x.npy
    echo old >readonly.npy && chmod a-w readonly.npy
    refused 4 "Permission denied" dump --what logits -o readonly.npy
fi
[ -z "$(find . -name '.gpt2c-*')" ] || fail "a temporary file was left"

# (--foreground: else timeout signals the group too, and a second Ctrl-C ends the program at once.)
# Ctrl-C ends the line; a program that is told to end leaves no temporary file.
timeout --foreground --preserve-status -s INT 2 "$gpt2c" generate -p x -n 100000 --ignore-eos --on-overflow slide \
    </dev/null >"$work/out" 2>"$work/err"
same "interrupted" $? 130
same "last byte" "$(tail -c 1 "$work/out" | od -An -tx1 | tr -d ' ')" 0a
same "no error" "$(cat "$work/err")" ""
timeout --foreground --preserve-status -s TERM 2 "$gpt2c" generate -p x -n 100000 --ignore-eos \
    --on-overflow slide -o ended.txt </dev/null >"$work/out" 2>"$work/err"
same "ended" $? 143
same "files" "$(ls -A | tr '\n' ' ' | sed 's/locked //;s/readonly.npy //')" ""
finish
