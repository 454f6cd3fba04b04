#!/bin/sh
# tokenize and detokenize: each form of output, special tokens, any bytes, streams, what is refused.
. "$(dirname "$0")/lib.sh"

accepted tokenize "The cat sat on the mat"
same "table" "$(sed -n 3p "$work/out")" '  3797  Ġcat                  " cat"                3-7'
accepted tokenize --ids "The cat sat on the mat"
same "ids" "$(cat "$work/out")" "464 3797 3332 319 262 2603"
accepted tokenize --count "The cat sat on the mat"
same "count" "$(cat "$work/out")" 6
accepted tokenize --json "The né 👩"
same "json" "$(cat "$work/out")" '{"schema":1,"n_tokens":5,"ids":[464,299,2634,50169,102],"tokens":["The","Ġn","Ã©","ĠðŁĳ","©"],"offsets":[[0,3],[3,5],[5,7],[7,11],[11,12]],"char_offsets":[[0,3],[3,5],[5,6],[6,8],[7,8]]}'
accepted tokenize --ids --prompt "The cat"
same "--prompt" "$(cat "$work/out")" "464 3797"
accepted tokenize -o ids.txt --ids "The cat"
same "-o" "$(cat ids.txt)" "464 3797"
rm ids.txt
accepted tokenize --ids ""
same "empty text" "$(cat "$work/out")" ""

accepted tokenize --explain --color never "The <|endoftext|>"
prints explain "pieces: |The| |<|endoftext|>|"
prints explain "  merge     2  T he"
prints explain "  merge   208  The"
prints explain "a special token"
prints explain "3 pieces, 3 tokens"
accepted tokenize --explain --color always "The"
prints "colour" "$(printf '\033[1;32mThe')"
accepted tokenize --explain --json "The"
same "explain --json" "$(cat "$work/out")" '{"schema":1,"ids":[464],"pieces":[{"bytes":[0,3],"text":"The","steps":[{"rank":null,"at":null,"tokens":["T","h","e"]},{"rank":2,"at":1,"tokens":["T","he"]},{"rank":208,"at":0,"tokens":["The"]}]}]}'

accepted tokenize --ids "hello <|endoftext|> x"
same "special tokens are allowed" "$(cat "$work/out")" "31373 220 50256 2124"
accepted tokenize --ids --special text "hello <|endoftext|> x"
same "special tokens as text" "$(cat "$work/out")" "31373 1279 91 437 1659 5239 91 29 2124"
refused 2 "byte 6: the text holds the special token <|endoftext|>" tokenize --special error "hello <|endoftext|>"
refused 2 "byte 6" tokenize --special error --json "hello <|endoftext|>"

# Streams: the same ids and bytes whatever the source, the threads and the bytes.
printf 'one\0two \377\376\n\r\n  \342\202 x' >bytes.txt
accepted tokenize --ids --file bytes.txt
"$gpt2c" detokenize --raw <"$work/out" | cmp -s - bytes.txt
same "any bytes come back" "$?" 0
same "stdin" "$("$gpt2c" tokenize --ids --file - <bytes.txt)" "$(cat "$work/out")"
same "a pipe" "$(cat bytes.txt | "$gpt2c" tokenize --ids)" "$(cat "$work/out")"
same "an argument of -" "$("$gpt2c" tokenize --ids - <bytes.txt)" "$(cat "$work/out")"
i=0
while [ $i -lt 200 ]; do
    cat "$root/README.md" bytes.txt
    i=$((i + 1))
done >long.txt
"$gpt2c" tokenize -t 1 --ids --file long.txt >one.txt
"$gpt2c" tokenize -t 3 --ids --file long.txt | cmp -s - one.txt
same "threads do not change the ids" "$?" 0
"$gpt2c" detokenize --raw <one.txt | cmp -s - long.txt
same "a long file comes back" "$?" 0
same "count of a long file" "$("$gpt2c" tokenize --count --file long.txt)" "$(wc -w <one.txt | tr -d ' ')"
"$gpt2c" tokenize --file long.txt | head -n 1 >"$work/out"
prints "a closed pipe" "token"
printf 'x\n' >newline.txt
same "the last newline counts" "$("$gpt2c" tokenize --ids --file newline.txt)" "87 198"
same "--chomp" "$("$gpt2c" tokenize --ids --chomp --file newline.txt)" "87"
rm ./*.txt

printf '"The cat"\n{"id": 7, "text": "The"}\n\n{"prompt": "cat"}\n' >in.jsonl
accepted tokenize --jsonl --file in.jsonl
same "json lines" "$(cat "$work/out")" '{"n_tokens":2,"ids":[464,3797]}
{"n_tokens":1,"ids":[464]}
{"n_tokens":1,"ids":[9246]}'
printf '"a"\n{bad\n[1]\n"b"' >in.jsonl
run tokenize --jsonl --file in.jsonl
same "bad lines: exit code" "$code" 1
prints "bad lines: those before" '{"n_tokens":1,"ids":[64]}'
prints "bad lines: an error in their place" '{"error":"not valid JSON"}'
prints "bad lines: those after" '{"n_tokens":1,"ids":[65]}'
rm in.jsonl

refused 2 "one text, not 2" tokenize The cat
refused 2 "given twice" tokenize The --file x
refused 2 "one of --ids" tokenize --ids --count The
refused 4 "cannot read absent.txt" tokenize --file absent.txt
refused 4 "directory" tokenize --file .
refused 4 "vocab.json" tokenize -m "$work/box" The

accepted detokenize 464 3797
same "detokenize" "$(cat "$work/out")" "The cat"
accepted detokenize "464 3797"
same "a quoted list" "$(cat "$work/out")" "The cat"
same "a JSON list" "$(echo '[464, 3797]' | "$gpt2c" detokenize)" "The cat"
accepted detokenize 50169
same "a part of a character" "$(cat "$work/out")" " �"
accepted detokenize 50169 102
same "its other part" "$(cat "$work/out")" " 👩"
accepted detokenize --raw 50169
same "--raw" "$(od -An -tx1 <"$work/out" | tr -d ' \n')" "20f09f91"
refused 2 "50257 is not in 0" detokenize 464 50257
refused 2 "'x' is not a token id" detokenize 464 x
run detokenize </dev/null
same "no ids: exit code" "$code" 0
finish
