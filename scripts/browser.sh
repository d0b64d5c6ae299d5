#!/bin/sh
# Makes sure that the browser tests can run, and prints the path of a Chromium that starts. Called by the Makefile.
#
#   sh scripts/browser.sh             as root on Debian, install what is missing; elsewhere say what is
#   sh scripts/browser.sh --find      only print the path
#
# CHROMIUM names the browser; without it PATH is searched.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/.."

say() { printf '%s\n' "$@" >&2; }

find_chromium() {
    if [ -n "${CHROMIUM:-}" ]; then
        set -- "$CHROMIUM"
    else
        set -- chromium chromium-browser google-chrome google-chrome-stable
    fi
    for candidate in "$@"; do
        # Ubuntu's chromium-browser may be a stub that only asks for a snap.
        if "$candidate" --version >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# Playwright brings its driver, a Node.js, and that needs a library which a bare Debian lacks.
driver_starts() {
    [ ! -x .venv/bin/python ] || .venv/bin/python -m playwright --version >/dev/null 2>&1
}

missing_packages() {
    find_chromium >/dev/null || printf '%s\n' chromium fonts-dejavu-core fonts-liberation
    driver_starts || printf '%s\n' libatomic1
}

apt() {
    for pause in 5 15 0; do
        DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=5 "$@" </dev/null >&2 && return
        say "apt-get $1 failed"
        sleep "$pause"
    done
    return 1
}

if [ "${1:-}" = --find ]; then
    find_chromium
    exit
fi

if [ -n "${CHROMIUM:-}" ] && ! find_chromium >/dev/null; then
    say "CHROMIUM=$CHROMIUM does not start; name a Chromium or Chrome that does, or unset CHROMIUM."
    exit 1
fi

missing=$(missing_packages)
if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "Installing for the browser tests: $(echo "$missing" | tr '\n' ' ')"
    # shellcheck disable=SC2086 # One package a word.
    if ! apt update || ! apt install -y --no-install-recommends $missing; then
        say "apt-get could not install all of it."
    fi
fi

if ! find_chromium; then
    say "The browser tests need Chromium or Chrome, and none was found on PATH. Install it" \
        "  Debian: sudo apt install chromium    Fedora: sudo dnf install chromium    Ubuntu: sudo snap install chromium" \
        "or name one: make test CHROMIUM=/path/to/chrome"
    failed=yes
fi
if ! driver_starts; then
    say "The browser tests need Playwright's driver, and it does not start:"
    .venv/bin/python -m playwright --version >&2 || true
    say "If it misses libatomic.so.1" \
        "  Debian, Ubuntu: sudo apt install libatomic1    Fedora: sudo dnf install libatomic"
    failed=yes
fi
if [ -n "${failed:-}" ]; then
    say "Without a browser, and shorter: make fast"
    exit 1
fi
