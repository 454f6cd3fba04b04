# Sourced by quickstart and test: finds what a build needs, installs it where that is possible
# without questions, and builds. POSIX sh. The caller sets `root`, the folder of the repository.
# Messages go to stderr.

root=${root:?}
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/gpt2c

say() {
    printf '%s\n' "$*" >&2
}

die() {
    printf '%s: error: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

have() {
    command -v "$1" > /dev/null 2>&1
}

# ---- packages -------------------------------------------------------------------------------------

# Installs Debian packages as root or by sudo; fails without a question where neither is possible.
apt_install() {
    have apt-get || return 1
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif have sudo && { sudo -n true 2> /dev/null || [ -t 0 ]; }; then
        as_root=sudo
    else
        return 1
    fi
    say "Installing $* ..."
    apt_get="$as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -qq
        -o DPkg::Lock::Timeout=300"
    set -- "$@"
    if ! ls /var/lib/apt/lists/*Packages* > /dev/null 2>&1; then
        $apt_get update >&2 || return 1
    fi
    $apt_get install -y --no-install-recommends "$@" > /dev/null 2>&1 && return 0
    # The lists may be older than the mirror: once more with new ones, and with the messages.
    $apt_get update >&2 && $apt_get install -y --no-install-recommends "$@" >&2
}

compiles() {
    printf '#include <stdio.h>\nint main(void) { return puts("") < 0; }\n' |
        "$1" -x c - -o /dev/null > /dev/null 2>&1
}

have_compiler() {
    if [ -n "${CC:-}" ]; then
        # shellcheck disable=SC2086 # CC may hold options
        compiles ${CC%% *}
    else
        compiles cc || compiles gcc || compiles clang
    fi
}

have_meson() { # 1.0 or later, in $meson
    version=$("$meson" --version 2> /dev/null) || return 1
    [ "${version%%.*}" -ge 1 ] 2> /dev/null
}

have_stb() {
    pkg-config --exists stb 2> /dev/null && return 0
    for dir in /usr/include/stb /usr/local/include/stb /opt/homebrew/include/stb; do
        [ -f "$dir/stb_truetype.h" ] && return 0
    done
    return 1
}

# Sets `missing` (what a build cannot do without) and `missing_libraries` (what meson could fetch as
# well), in Debian's names.
look_for_packages() {
    missing=
    missing_libraries=
    have_compiler || missing="$missing gcc libc6-dev"
    have pkg-config || missing="$missing pkg-config"
    have ninja || have ninja-build || have samu || missing="$missing ninja-build"
    have_meson || missing="$missing meson"
    pkg-config --exists libcjson 2> /dev/null || missing_libraries="$missing_libraries libcjson-dev"
    have_stb || missing_libraries="$missing_libraries libstb-dev"
}

# Debian 11 and Ubuntu 22.04 have a meson before 1.0: take one from PyPI, for us alone.
meson_from_pypi() {
    say "The system's meson is older than 1.0: installing one in $cache ..."
    have python3 || return 1
    python3 -m venv "$cache/meson" > /dev/null 2>&1 || {
        apt_install python3-venv && python3 -m venv "$cache/meson" >&2
    } || return 1
    "$cache/meson/bin/pip" install --quiet 'meson>=1.0,<2' >&2
}

name_packages() {
    say "Missing:$missing$missing_libraries (Debian's names)."
    say "Install what a build needs, then run this again:"
    say "  Debian, Ubuntu  sudo apt-get install gcc libc6-dev meson ninja-build pkg-config libcjson-dev libstb-dev"
    say "  Fedora          sudo dnf install gcc meson ninja-build pkgconf-pkg-config cjson-devel stb-devel"
    say "  Arch            sudo pacman -S --needed gcc meson ninja pkgconf cjson git"
    say "  macOS           xcode-select --install; brew install meson ninja pkg-config cjson libomp"
}

# Leaves everything in place for a build, and the path of meson in `meson`.
prepare() {
    meson=${MESON:-meson}
    if ! have_meson && [ -x "$cache/meson/bin/meson" ]; then
        meson=$cache/meson/bin/meson
    fi
    look_for_packages
    if [ -n "$missing$missing_libraries" ]; then
        # shellcheck disable=SC2086 # lists of words
        apt_install $missing $missing_libraries || true
        look_for_packages
    fi
    if [ "$missing" = " meson" ] && have meson && meson_from_pypi; then
        meson=$cache/meson/bin/meson
        look_for_packages
    fi
    if [ -n "$missing" ]; then
        name_packages
        exit 1
    fi
    if [ -n "$missing_libraries" ]; then
        say "Not installed:$missing_libraries (Debian's names); meson fetches the sources instead."
    fi
}

# ---- builds ---------------------------------------------------------------------------------------

# The build folder of that name: build or build-NAME in the repository, which git ignores; in the
# cache when the repository cannot be written.
build_folder() {
    if [ -n "${GPT2C_BUILD:-}" ]; then
        base=$GPT2C_BUILD
    elif [ -w "$root" ]; then
        base=$root/build
    else
        base=$cache/build-$(printf '%s' "$root" | cksum | cut -d ' ' -f 1)
    fi
    printf '%s\n' "$base${1:+-$1}"
}

# build FOLDER OPTION...: sets the folder up when it is new, was set up otherwise or for another
# place, and builds what has changed. The output is shown when something fails.
build() {
    folder=$1
    shift
    wanted="$root $meson ${CC:-} ${CFLAGS:-} $*"
    if [ ! -f "$folder/build.ninja" ] || [ "$(cat "$folder/.configured" 2> /dev/null)" != "$wanted" ]; then
        if [ -e "$folder" ] && [ ! -d "$folder/meson-private" ] && [ -n "$(ls -A "$folder")" ]; then
            say "$folder is not a build folder: remove it, or name another in GPT2C_BUILD."
            return 1
        fi
        rm -rf "$folder"
        mkdir -p "$folder" || return 1
        say "Configuring $folder ..."
        "$meson" setup "$folder" "$root" "$@" > "$folder.log" 2>&1 || {
            cat "$folder.log" >&2
            rm -f "$folder.log"
            return 1
        }
        printf '%s' "$wanted" > "$folder/.configured"
        mv "$folder.log" "$folder/configure.log"
        say "Building ..."
    fi
    "$meson" compile -C "$folder" > "$folder/build.log" 2>&1 || {
        { grep -A 30 '^FAILED' "$folder/build.log" || tail -n 60 "$folder/build.log"; } |
            head -n 80 >&2
        return 1
    }
}
