#!/bin/sh
# same_in_readme.sh FILE README: README shows FILE, but for its head comment, in a block of ```c.
set -eu
sed '1,/\*\/$/d' "$1" > "${TMPDIR:-/tmp}/example.$$"
trap 'rm -f "${TMPDIR:-/tmp}/example.$$" "${TMPDIR:-/tmp}/shown.$$"' EXIT
awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$2" > "${TMPDIR:-/tmp}/shown.$$"
diff "${TMPDIR:-/tmp}/example.$$" "${TMPDIR:-/tmp}/shown.$$"
