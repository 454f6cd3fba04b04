#!/bin/sh
# next, dump and ppl.
. "$(dirname "$0")/lib.sh"

accepted next -k 3
same "header" "$(head -1 "$work/out" | tr -s ' ')" "rank id token logit probability cumulative"
same "first" "$(sed -n 2p "$work/out" | awk '{print $2, $3, $4, $6}')" '383 " The" 0.380127'
accepted next --json -k 2 --prompt "The dog"
prints next '"prompt_ids":[464,3290],"positions":[{"pos":1,"top":[{"rank":1,"id":'
accepted next --all --json -k 1 --prompt "The dog"
prints next '"positions":[{"pos":0,"next":{"id":3290,'
accepted next --all
same "lines" "$(wc -l <"$work/out")" 11
accepted next --prompt "" -k 1 --json
prints "empty text" '"prompt_ids":[50256]'
accepted next -k 60000 --json
refused 2 "--top" next -k 0

# 8 bytes of length, and data at a multiple of 64.
accepted dump --prompt "The dog" -o out.safetensors
same "stdout" "$(cat "$work/out")" ""
n_header=$(od -An -tu8 -N8 out.safetensors | tr -d ' ')
same "alignment" $(((8 + n_header) % 64)) 0
# logits, 12 maps of 12 heads, 13 hidden states
n_data=$((4 * (2 * 50257 + 12 * 12 * 2 * 2 + 13 * 2 * 192)))
same "bytes" "$(wc -c <out.safetensors)" $((8 + n_header + n_data))
accepted dump --ids "464 3290" -o ids.safetensors
cmp -s out.safetensors ids.safetensors || fail "--ids differs from the text"
n_checks=$((n_checks + 1))
echo "464, 3290" | "$gpt2c" dump --ids - -o stdin.safetensors
cmp -s out.safetensors stdin.safetensors || fail "--ids - differs from the text"
"$gpt2c" dump --prompt "The dog" -o - | cmp -s - out.safetensors || fail "-o - differs"
rm -f ./*.safetensors
accepted dump --prompt "The dog" --what q --layer 3 -o q.npy
same "npy" "$(head -c 6 q.npy | tail -c 5)" NUMPY
same "npy bytes" "$(wc -c <q.npy)" $((128 + 4 * 192 * 2))
rm -f q.npy
for tier in ref avx2; do
    accepted dump --prompt "The dog" --what hidden,scores,k,v,z,mlp_post,mlp_out --cpu $tier -o x.safetensors
    rm -f x.safetensors
done
refused 2 "dump needs -o" dump
refused 2 "did you mean 'hidden'" dump --what hiden -o x
refused 2 "is none of" dump --what "" -o x
refused 2 "holds one tensor" dump -o x.npy
refused 2 "--layer 12 is out of range" dump --what attn --layer 12 -o x.npy
refused 2 "--layer -13 is out of range" dump --what attn --layer -13 -o x.npy
refused 2 "runs backwards" dump --what attn --layer 5-3 -o x
refused 2 "--layer" dump --what attn --layer 1, -o x
refused 2 "token 50257 is out of range" dump --ids "1 50257" -o x
refused 2 "token -1 is out of range" dump --ids -1 -o x
refused 2 "is not a token id" dump --ids "1 two" -o x
refused 2 "there are none" dump --ids "" -o x
refused 2 "excludes" dump --ids 1 --prompt x -o x

accepted ppl --json --prompt "The cat sat on the mat."
prints ppl '"n_tokens":6}'
accepted ppl --per-token --prompt "The cat sat on the mat."
same "lines" "$(wc -l <"$work/out")" 11
# A text of two windows, by Hugging Face's rule: 1,024 tokens and 476 more.
i=0
while [ $i -lt 300 ]; do
    printf 'The cat sat down.' >>"$work/long"
    i=$((i + 1))
done
accepted ppl --file "$work/long" --stride 512 --json
prints ppl '"n_tokens":1498}'
refused 1 "two or more" ppl --prompt "The"
refused 1 "two or more" ppl --prompt ""
refused 2 "--stride 1025 is more than the context" ppl --stride 1025
refused 2 "--stride" ppl --stride 0
finish
