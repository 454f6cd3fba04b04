#!/bin/sh
# generate: the golden text of the default model, streams, samples, batches, and what it refuses.
. "$(dirname "$0")/lib.sh"

text="The dog chased the ball because it was excited."
golden="383,3290,4966,3049,290,11687,11,475,262,2613,373,1165,3049,13,383,3290,373,6507,290,750,407,\
760,644,284,466,13,198,6423,11,1223,10059,3022"
golden_text=" The dog ran fast and jumped, but the ball was too fast. The dog was sad and did not know \
what to do.
Then, something unexpected happened"

# Hugging Face's greedy continuation.
accepted generate --greedy -n 32 --prompt "$text"
same "golden text" "$(cat "$work/out")" "$golden_text"
for tier in ref avx2 avx512; do
    accepted generate --greedy -n 32 --prompt "$text" --json --cpu $tier
    prints "golden ids, $tier" "\"ids\":[$golden],"
    prints "$tier" '"schema":1'
    prints "$tier" '"finish_reason":"length"'
    prints "$tier" '"prompt_ids":[464,3290,26172,262,2613,780,340,373,6568,13]'
    prints "$tier" '"decode_tokens_per_s":'
done
accepted generate --temperature 0 -n 32 --prompt "$text" --speculate
same "golden text, speculating" "$(cat "$work/out")" "$golden_text"

# The same seed gives the same text, however it is made.
"$gpt2c" generate --prompt "$text" -n 24 --seed 7 >"$work/first"
for option in "-t 1" "-t 2" "-t 3" "-t 5" --speculate --no-mmap "-o -" "--max-time 1000"; do
    # shellcheck disable=SC2086
    accepted generate --prompt "$text" -n 24 --seed 7 $option
    same "text with $option" "$(cat "$work/out")" "$(cat "$work/first")"
done
accepted generate --prompt "$text" -n 24 --seed 7 -o text.txt
same "stdout beside a file" "$(cat "$work/out")" ""
same "text in a file" "$(cat text.txt)" "$(cat "$work/first")"
rm -f text.txt
printf '%s' "$text" >"$work/prompt"
accepted generate --file "$work/prompt" -n 24 --seed 7
same "text from a file" "$(cat "$work/out")" "$(cat "$work/first")"
n_checks=$((n_checks + 1))
"$gpt2c" generate -n 24 --seed 7 <"$work/prompt" | cmp -s - "$work/first" || fail "text from a pipe"
"$gpt2c" generate --prompt - -n 24 --seed 7 <"$work/prompt" | cmp -s - "$work/first" || fail "prompt -"
printf '%s\n' "$text" | "$gpt2c" generate --chomp -n 24 --seed 7 | cmp -s - "$work/first" ||
    fail "--chomp"
accepted generate --prompt "$text" -n 24 --seed 8
[ "$(cat "$work/out")" != "$(cat "$work/first")" ] || fail "another seed, the same text"

# Samples and batches: each text is what its prompt gives alone.
ids_of() { sed 's/.*"samples":\[\(.*\)\],"seed".*/\1/' "$1"; }
accepted generate --prompt "$text" -n 20 --seed 7 --json
ids_of "$work/out" >"$work/alone"
accepted generate --prompt "$text" -n 20 --seed 7 --json --num-samples 3
ids_of "$work/out" >"$work/three"
case $(cat "$work/three") in
"$(cat "$work/alone")",*) ;;
*) fail "the first of three samples is not what one alone is" ;;
esac
cat >"$work/prompts.jsonl" <<END
"Once upon a time"
{"prompt": "$text"}
not json
{"no_prompt": 1}

"$text"
END
n_checks=$((n_checks + 1))
"$gpt2c" generate --batch "$work/prompts.jsonl" -n 20 --seed 7 >"$work/out" 2>"$work/err" ||
    fail "--batch ends with $?: $(cat "$work/err")"
same "lines of results" "$(wc -l <"$work/out")" 6
same "lines of errors" "$(grep -c '"error":' "$work/out")" 3
for line in 2 6; do
    sed -n ${line}p "$work/out" >"$work/line"
    same "batch line $line" "$(ids_of "$work/line")" "$(cat "$work/alone")"
done
"$gpt2c" generate --batch - -n 20 --seed 7 -q <"$work/prompts.jsonl" 2>"$work/err" |
    cmp -s - "$work/out" || fail "--batch from stdin differs"
same "-q" "$(cat "$work/err")" ""

# Where it ends.
accepted generate --greedy -n 32 --prompt "$text" --stop " was too" --json
prints "stop over tokens" '"text":" The dog ran fast and jumped, but the ball","finish_reason":"stop"'
accepted generate --greedy -n 32 --prompt "$text" --stop nowhere --stop "og ran"
same "stop inside a token" "$(cat "$work/out")" " The d"
accepted generate -n 9 --prompt "$text" --logit-bias 50256:1000 --json
prints "end of text" '"ids":[50256],"text":"","finish_reason":"eos"'
accepted generate -n 3 --prompt "$text" --logit-bias 50256:1000 --json --ignore-eos
prints "ignored end of text" '"ids":[50256,50256,50256]'
accepted generate -n 500 --prompt "$text" --max-time 0.000001 --json
prints "time" '"finish_reason":"time"'
accepted generate -n 0 --prompt "$text"
same "no tokens" "$(cat "$work/out")" ""
accepted generate --prompt "" -n 3 --seed 1 --json
prints "empty prompt" '"prompt_ids":[50256]'

# A token that is a part of a character only (447: the first two bytes of a quotation mark): held
# back until the next one shows that nothing completes it, then U+FFFD.
fffd=$(printf '\357\277\275')
accepted generate --prompt x -n 2 --logit-bias 447:1000 --greedy --json
prints "incomplete character" "\"text\":\"$fffd$fffd\""
accepted generate --prompt x -n 2 --logit-bias 447:1000 --greedy
same "incomplete character" "$(cat "$work/out")" "$fffd$fffd"

# The context.
i=0
: >"$work/words"
while [ $i -lt 1020 ]; do
    printf 'word ' >>"$work/words"
    i=$((i + 1))
done
printf 'word' >>"$work/words" # 1021 tokens
accepted generate --file "$work/words" -n 50 --ignore-eos --json --greedy
prints "context" '"finish_reason":"context"'
accepted generate --file "$work/words" -n 12 --ignore-eos --json --greedy --on-overflow slide
prints "slide" '"finish_reason":"length"'
ids_of "$work/out" >"$work/slid"
accepted generate --file "$work/words" -n 12 --ignore-eos --json --greedy --on-overflow slide \
    --speculate
same "slide, speculating" "$(ids_of "$work/out")" "$(cat "$work/slid")"
refused 1 "context of the model is 1024" generate --file "$work/words" -n 50 --on-overflow error
printf ' a b c d' >>"$work/words"
refused 1 "the text has 1025 tokens, the context of the model 1024" generate --file "$work/words"

# A note for the classic trap, unless it is not wanted.
run generate --prompt "The " -n 1 --greedy
same "exit code" $code 0
case $(cat "$work/err") in *"ends in a space"*) ;; *) fail "no note on the space" ;; esac
accepted generate --prompt "The " -n 1 --greedy -q

# Log-probabilities.
accepted generate --prompt "$text" --greedy -n 2 --json --logprobs 2
prints logprobs '"logprobs":[{"id":383,"token":"'

refused 2 "--stop" generate --stop ""
refused 2 "--bad-words" generate --bad-words ""
refused 2 "--logit-bias: want ID:X" generate --logit-bias 5
refused 2 "out of range" generate --logit-bias 50257:1
refused 2 "--logprobs needs" generate --logprobs 1
refused 2 "excludes" generate --batch x --prompt y
refused 2 "--top-p" generate --top-p 1.01
refused 4 "cannot read" generate --batch nowhere.jsonl
refused 4 "cannot read" generate --file nowhere.txt
refused 4 "Is a directory" generate --file .
finish
