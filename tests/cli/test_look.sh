#!/bin/sh
# embed, heads and lens.
. "$(dirname "$0")/lib.sh"

# picture FILE: is a PNG, and the same bytes when it is drawn again by the same ARGS…
picture() {
    file=$1
    shift
    accepted "$@" -o "$file"
    same "stdout of $1" "$(wc -c <"$work/out")" 0
    same "signature of $file" "$(od -An -tx1 -N8 "$file" | tr -d ' ')" 89504e470d0a1a0a
    mv "$file" "$work/$file"
    accepted "$@" -o "$file"
    cmp -s "$file" "$work/$file" || fail "$file differs from run to run"
    rm -f "$file"
}

accepted embed --prompt "The cat sat"
same "shape" "$(head -1 "$work/out")" "(1, 3, 192)"
same "view" "$(sed -n 2p "$work/out" | cut -c1-3)" "[[["
accepted embed --prompt "The cat sat" --what wte -o x.npy
same "npy" "$(head -c 6 x.npy | tail -c 5)" NUMPY
same "npy bytes" "$(wc -c <x.npy)" $((128 + 4 * 3 * 192))
"$gpt2c" embed --prompt "The cat sat" --what wte -o - | cmp -s - x.npy || fail "-o - differs"
accepted embed --prompt "The cat sat" --what layer:-13 -o a.npy
accepted embed --prompt "The cat sat" --what input -o b.npy
cmp -s a.npy b.npy || fail "layer:-13 is not the input"
rm -f ./*.npy
accepted embed --prompt "The cat" --what wpe -o x.CSV
same "CSV lines" "$(wc -l <x.CSV)" 2
same "CSV fields" "$(head -1 x.CSV | tr ',' '\n' | wc -l)" 192
rm -f x.CSV
accepted embed --prompt "The cat" --json
prints embed '"what":"last","shape":[1,2,192],"ids":[464,3797],"tokens":["The","Ġcat"],"vectors":[[-'
accepted embed --pca --prompt "The cat sat"
same "PCA lines" "$(wc -l <"$work/out")" 5
prints "pca" '" cat"'
accepted embed --pca --prompt "The cat sat" -o pca.csv
same "PCA CSV" "$(head -1 pca.csv | cut -d, -f1-5)" "pos,id,token,pc1,pc2"
rm -f pca.csv
picture pca.png embed --pca --prompt "Small Language Models are powerful and efficient!"
run embed --pca --prompt "The"
same "exit code for one token" "$code" 0
prints "one token" '   0     0.0000     0.0000  "The"'
same "note on one token" "$(wc -l <"$work/err")" 1
accepted embed --nearest " cat" -k 3
same "nearest lines" "$(wc -l <"$work/out")" 4
cp "$work/out" "$work/by_text"
for name in 3797 Ġcat "text: cat"; do
    accepted embed --nearest "$name" -k 3
    cmp -s "$work/out" "$work/by_text" || fail "--nearest '$name' is not --nearest ' cat'"
done
accepted embed --nearest 3797 -k 1 --json
prints nearest '"id":3797,"token":"Ġcat","nearest":[{"rank":1,"id":'
refused 2 "want last, wte, wpe, input or layer:N" embed --what first
refused 2 "want last, wte, wpe, input or layer:N" embed --what layer:1x
refused 2 "layer:13 is out of range" embed --what layer:13
refused 2 "layer:-14 is out of range" embed --what layer:-14
refused 2 "must end in .npy, .csv or .json" embed -o pca.png
refused 2 "must end in .png, .csv, .json or .npy" embed --pca -o pca
refused 2 "did you mean '--what'" embed --whta last
refused 2 "both write to stdout" embed --json -o -
refused 2 "is 2 tokens, not one" embed --nearest "two words"
refused 2 "is 0 tokens, not one" embed --nearest ""
refused 2 "ids go from 0 to 50256" embed --nearest 50257
refused 2 "ids go from 0 to 50256" embed --nearest=-1
refused 2 "takes no text" embed --nearest 1 --prompt x
refused 2 "--top" embed --nearest 1 -k 0
refused 4 "no/x.npy" embed -o no/x.npy

twice="The cat sat on the mat. The cat sat on the mat."
accepted heads --prompt "$twice"
same "heads lines" "$(wc -l <"$work/out")" 145
accepted heads --prompt "$twice" --sort induction
same "sorted" "$(sed 1d "$work/out" | awk '{print $8}')" \
    "$(sed 1d "$work/out" | awk '{print $8}' | sort -rn)"
accepted heads --prompt "$twice" --json
prints heads '{"schema":1,"heads":[{"layer":0,"head":0,"entropy":'
prints heads ',"induction":'
accepted heads --prompt "$twice" --measure abs --exclude-first --exclude-current -o h.csv
same "CSV" "$(head -1 h.csv)" \
    "layer,head,entropy,mean_distance,first_token,previous_token,duplicate_token,induction"
same "CSV lines" "$(wc -l <h.csv)" 145
rm -f h.csv
accepted heads --prompt The --exclude-current --json
prints "nothing left" '"previous_token":null'
picture heads.png heads --prompt "$twice"
picture one.png heads --prompt "$twice" --score induction
refused 2 "--sort" heads --sort inductions
refused 2 "must end in .png, .csv or .json" heads -o heads.txt
refused 2 "--measure" heads --measure div

accepted lens --prompt "The cat sat"
same "lens lines" "$(wc -l <"$work/out")" 15
accepted lens --prompt "The cat sat" -k 2 --positions -1
same "lens lines of two guesses" "$(wc -l <"$work/out")" 28
accepted lens --prompt "The cat sat" --positions 2,0 -o lens.csv
same "lens CSV" "$(head -1 lens.csv)" "layer,pos,rank,id,token,p"
same "lens CSV lines" "$(wc -l <lens.csv)" 27
same "order" "$(sed 1d lens.csv | head -2 | cut -d, -f2 | tr '\n' ' ')" "2 0 "
rm -f lens.csv
accepted lens --prompt "The cat" --json
prints lens '{"schema":1,"layers":[{"layer":0,"positions":[{"pos":0,"top":[{"id":'
picture lens.png lens
run lens --prompt "$twice $twice $twice $twice $twice $twice" -o long.png
same "note on what is left out" "$(grep -c 'shows the last 64 of' "$work/err")" 1
rm -f long.png
refused 2 "--positions 3 is out of range: there are 3" lens --prompt "The cat sat" --positions 3
refused 2 "--top" lens -k 101
refused 2 "must end in" lens -o lens.jpg
refused 2 "unexpected argument" lens word
finish
