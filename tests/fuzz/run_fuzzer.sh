#!/bin/sh
# run_fuzzer.sh PROGRAM CORPUS: fuzzes for $GPT2C_FUZZ_SECONDS (5). What it finds new stays out of the
# source tree; the input of a crash is kept beside the program and named in its message.
set -eu
found=$(mktemp -d)
trap 'rm -rf "$found" "$found.log"' EXIT
status=0
"$1" -max_total_time="${GPT2C_FUZZ_SECONDS:-5}" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
    -error_exitcode=1 -timeout_exitcode=1 \
    -artifact_prefix="$1." -print_final_stats=1 "$found" "$2" > "$found.log" 2>&1 || status=$?
tail -n 40 "$found.log"
exit "$status"
