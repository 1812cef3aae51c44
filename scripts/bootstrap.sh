#!/usr/bin/env bash
# Makes a Debian or Ubuntu machine ready to build and run Atrium: checks the Swift compiler, and installs through apt
# only what lacks. Quick when nothing does.
#
#   scripts/bootstrap.sh            what `make run` and `make build` need
#   scripts/bootstrap.sh --test     the tests' Python packages too, in .build/python
#   scripts/bootstrap.sh --check    installs nothing; lists what lacks and fails when something does
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for_tests=no
check_only=no
for argument in "$@"; do
    case "$argument" in
        --test) for_tests=yes ;;
        --check) check_only=yes ;;
        *)
            echo "bootstrap: unknown option $argument (known: --test, --check)" >&2
            exit 2
            ;;
    esac
done

say() { printf 'bootstrap: %s\n' "$*"; }
fail() {
    printf 'bootstrap: %s\n' "$@" >&2
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# --- Swift -----------------------------------------------------------------------------------------------------------

needed_swift=6.3
check_swift() {
    has swift || fail "Swift $needed_swift or newer is needed, and no swift is on the PATH." \
        "Install it from https://www.swift.org/install/linux (swiftly install $needed_swift), then run this again."
    local answer found
    answer=$(swift --version 2>&1) || fail "$(command -v swift) does not run:" "    $answer" \
        "Install what it misses (https://www.swift.org/install/linux lists the packages), then run this again."
    found=$(sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' <<<"$answer" | head -n 1)
    [ -n "$found" ] || fail "\`swift --version\` of $(command -v swift) does not tell its version, but this:" \
        "    $answer" "Install Swift $needed_swift or newer from https://www.swift.org/install/linux."
    local lower
    lower=$(printf '%s\n%s\n' "$needed_swift" "$found" | sort -V | head -n 1)
    [ "$lower" = "$needed_swift" ] || fail "Swift $needed_swift or newer is needed, and $(command -v swift) is $found." \
        "Install a newer one from https://www.swift.org/install/linux (swiftly install $needed_swift)."
}

# --- What lacks ------------------------------------------------------------------------------------------------------

has_library() {
    if has pkg-config; then
        pkg-config --exists "$1"
    else
        compgen -G "/usr/lib/*/pkgconfig/$1.pc" >/dev/null || compgen -G "/usr/lib/pkgconfig/$1.pc" >/dev/null
    fi
}

has_server() {
    local folder
    for folder in "${PG_BINDIR:-}" /usr/lib/postgresql/{18,17,16,15}/bin; do
        if [ -n "$folder" ] && [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then return 0; fi
    done
    has pg_config && [ -x "$(pg_config --bindir)/initdb" ] && [ -x "$(pg_config --bindir)/postgres" ]
}

list_lacking() {
    has pkg-config || echo pkg-config
    has setpriv || echo util-linux
    has_library libpq || echo libpq-dev
    has_library rdkafka || echo librdkafka-dev
    has_library libsodium || echo libsodium-dev
    has_server || echo postgresql-server
    if [ "$for_tests" = yes ] && ! { has python3 && python3 -c 'import ensurepip, venv' 2>/dev/null; }; then
        echo python3-venv
    fi
    if [ "$for_tests" = yes ] && ! { has pgbouncer || [ -x /usr/sbin/pgbouncer ]; }; then echo pgbouncer; fi
}

# --- apt -------------------------------------------------------------------------------------------------------------

# How to become root for apt: nothing, sudo, or not at all.
rights() {
    if [ "$(id -u)" = 0 ]; then
        echo root
    elif has sudo && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
        echo sudo
    else
        echo none
    fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q -o DPkg::Lock::Timeout=120 --no-install-recommends "$@" >"$log" 2>&1 || {
        tail -n 15 "$log" >&2
        fail "apt-get could not install $* (its whole output: $log)." \
            "If the machine is offline, connect it; if another apt is running, wait for it; then run this again."
    }
}

# Debian's server package makes and starts a cluster of its own on port 5432. Atrium brings its own, so that is
# switched off while the package is installed, and the machine's setting is put back afterwards.
install_server() {
    apt_install postgresql-common
    local settings=/etc/postgresql-common/createcluster.conf
    as_root cp -p "$settings" "$settings.before-atrium"
    trap 'as_root mv "$settings.before-atrium" "$settings"' EXIT
    as_root sed -i -e '/^[[:space:]]*create_main_cluster/d' -e '$a create_main_cluster = false' "$settings"
    apt_install "$1"
    as_root mv "$settings.before-atrium" "$settings"
    trap - EXIT
}

server_package() {
    local version
    for version in 15 16 17 18; do
        if apt-cache show "postgresql-$version" >/dev/null 2>&1; then
            echo "postgresql-$version"
            return
        fi
    done
    echo postgresql
}

install_lacking() {
    local packages=("$@")
    if ! has apt-get; then
        fail "These are needed and lack: $(named "${packages[@]}")" \
            "This machine has no apt-get, so install what your system calls them, then run this again."
    fi
    local way
    way=$(rights)
    if [ "$way" = none ]; then
        fail "These are needed and lack: $(named "${packages[@]}")" \
            "You are not root and cannot use sudo here. Ask someone who can to run:" \
            "    apt-get update && apt-get install -y $(named "${packages[@]}")"
    fi
    log=$(mktemp "${TMPDIR:-/tmp}/atrium-bootstrap.XXXXXX")
    say "installing $(named "${packages[@]}") (as $way; output in $log)"
    as_root apt-get update -q >"$log" 2>&1 || say "apt-get update failed (offline?); trying with the lists there are"
    local plain=() package
    for package in "${packages[@]}"; do
        [ "$package" = postgresql-server ] || plain+=("$package")
    done
    [ ${#plain[@]} -eq 0 ] || apt_install "${plain[@]}"
    for package in "${packages[@]}"; do
        [ "$package" != postgresql-server ] || install_server "$(server_package)"
    done
    rm -f "$log"
}

# The names for people: the server's package by the version Debian 12 has.
named() { echo "${*//postgresql-server/postgresql-15}"; }

# --- Python, for the tests -------------------------------------------------------------------------------------------

prepare_python() {
    local wanted=scripts/requirements-test.txt folder=.build/python
    if [ -n "${ATRIUM_PYTHON:-}" ]; then return; fi
    if [ -x "$folder/bin/python" ] && cmp -s "$wanted" "$folder/requirements.txt"; then return; fi
    say "making .build/python with $(grep -c '==' "$wanted") packages for the tests"
    rm -rf "$folder"
    mkdir -p .build
    if python3 -m venv "$folder" >/dev/null \
        && "$folder/bin/python" -m pip install -q --retries 1 --disable-pip-version-check -r "$wanted"; then
        cp "$wanted" "$folder/requirements.txt"
        return
    fi
    rm -rf "$folder"
    say "the packages of $wanted could not be installed (offline?). The tests that need them will fail and say so." >&2
    say "Connect the machine, or set ATRIUM_PYTHON to a Python that has them, and run make test again." >&2
}

# --- All of it -------------------------------------------------------------------------------------------------------

check_swift
mapfile -t lacking < <(list_lacking)
if [ ${#lacking[@]} -gt 0 ]; then
    if [ "$check_only" = yes ]; then fail "These are needed and lack: $(named "${lacking[@]}")"; fi
    install_lacking "${lacking[@]}"
    mapfile -t lacking < <(list_lacking)
    [ ${#lacking[@]} -eq 0 ] || fail "Installed, and yet not to be found: $(named "${lacking[@]}")"
fi
if [ "$for_tests" = yes ] && [ "$check_only" = no ]; then prepare_python; fi
