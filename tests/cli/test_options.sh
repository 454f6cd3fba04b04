#!/bin/sh
# Help, version, and what the option parser accepts and refuses.
. "$(dirname "$0")/lib.sh"

accepted
prints help "Usage: gpt2c COMMAND"
accepted --help
prints help "generate"
accepted -h
accepted --version
prints version "compiler"
prints version "OpenMP"
prints version "kernels   ref"
for command in generate next dump ppl; do
    accepted $command --help
    prints "$command" "Examples:"
    prints "$command" "--model DIR"
    same "examples come first" "$(sed -n 3p "$work/out")" "Examples:"
    accepted help $command
done

refused 2 "did you mean 'generate'" genrate
refused 2 "did you mean 'next'" nxet
refused 2 "unknown command 'xyzzy'" xyzzy
refused 2 "the command comes first" --prompt x next
refused 2 "did you mean '--prompt'" next --promt x
refused 2 "did you mean '--temperature'" generate --temprature 1
refused 2 "unknown option '-Z'" next -Z
refused 2 "in -qZ" next -qZ
refused 2 "--top needs a value" next -k
refused 2 "--prompt needs a value" next --prompt --all
refused 2 "takes no value" next --all=yes
refused 2 "unexpected argument 'text'" next text
refused 2 "unexpected argument '--all'" next -- --all
refused 2 "exclude each other" next --prompt a --file b
refused 2 "want one of f32" next --dtype f31
refused 2 "want one of ref" next --cpu sse2
refused 2 "want one of auto" next --color blue
for number in 0 -1 x 1.5 "" 1e3 99999999999999999999 " 1" 0x10; do
    refused 2 "--threads: want a whole number" next -t "$number"
done
for number in nan inf -inf 1e999 0x1p3 "1 " 1,5 -0.1 1e3x; do
    refused 2 "--temperature: want a number" generate --temperature "$number"
done
for seed in -1 9007199254740992 1.5 x; do
    refused 2 "--seed: want a whole number from 0 to 9007199254740991" generate --seed "$seed"
done

# Values that begin with a dash, attached values, clusters of letters, the last of several counts.
accepted dump --what hidden --layer -1 -o a.npy
accepted dump --what hidden --layer=-1 -o b.npy
accepted dump --what hidden --layer 12 -ob.npy
same "layer -1 is the last" "$(cksum <a.npy)" "$(cksum <b.npy)"
rm -f a.npy b.npy
accepted next -qk3 --json
accepted next -k 99 -k 2 -p "The" -p "The cat"
same "lines" "$(wc -l <"$work/out")" 3
accepted next --prompt=-k -k 1

# Colors.
esc=$(printf '\033')
accepted ppl --per-token --color always
prints colors "$esc["
export NO_COLOR=1
accepted ppl --per-token
case $(cat "$work/out") in *"$esc"*) fail "colors in a file" ;; esac
finish
