# For the tests of the program: sourced by test_NAME.sh GPT2C SOURCE_ROOT. Each check runs the program
# in an empty folder of its own with nothing on stdin.
set -u
gpt2c=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
root=$2
work=$(mktemp -d)
box=$work/box # the folder that commands run in
mkdir "$box"
cd "$box" || exit 1
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
unset GPT2C_MODEL NO_COLOR HF_HOME HF_HUB_CACHE
export LC_ALL=C HOME="$work" GPT2C_MODEL="$root/weights/default"
n_checks=0
n_failed=0

fail() {
    n_failed=$((n_failed + 1))
    echo "FAILED: $*" >&2
}

# run ARGS…: leaves $code, $work/out and $work/err
run() {
    "$gpt2c" "$@" </dev/null >"$work/out" 2>"$work/err"
    code=$?
}

# refused CODE PART ARGS…: ends with CODE, one line on stderr that holds PART, an empty stdout, and
# no file that was not there
refused() {
    want=$1
    part=$2
    shift 2
    n_checks=$((n_checks + 1))
    ls -A >"$work/before"
    run "$@"
    ls -A >"$work/after"
    [ "$code" -eq "$want" ] || fail "exit code $code, expected $want: gpt2c $*: $(cat "$work/err")"
    [ ! -s "$work/out" ] || fail "stdout is not empty: gpt2c $*"
    [ "$(wc -l <"$work/err")" -eq 1 ] || fail "not one line of error: gpt2c $*: $(cat "$work/err")"
    case $(cat "$work/err") in
    "gpt2c: error: "*"$part"*) ;;
    *) fail "expected an error with '$part': gpt2c $*: $(cat "$work/err")" ;;
    esac
    cmp -s "$work/before" "$work/after" || fail "a file was left: gpt2c $*"
}

# accepted ARGS…: ends with 0 and says nothing on stderr
accepted() {
    n_checks=$((n_checks + 1))
    run "$@"
    [ "$code" -eq 0 ] || fail "exit code $code: gpt2c $*: $(cat "$work/err")"
    [ ! -s "$work/err" ] || fail "stderr is not empty: gpt2c $*: $(cat "$work/err")"
}

# prints WHAT PART: the last output holds PART
prints() {
    n_checks=$((n_checks + 1))
    case $(cat "$work/out") in
    *"$2"*) ;;
    *) fail "$1: expected '$2' in: $(head -c 2000 "$work/out")" ;;
    esac
}

# same WHAT FOUND EXPECTED
same() {
    n_checks=$((n_checks + 1))
    [ "$2" = "$3" ] || fail "$1: found '$2', expected '$3'"
}

finish() {
    echo "$n_checks checks, $n_failed failed" >&2
    [ "$n_checks" -gt 0 ] || exit 77
    [ "$n_failed" -eq 0 ]
    exit
}
