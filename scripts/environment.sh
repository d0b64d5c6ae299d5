#!/bin/sh
# Makes .venv ready; does nothing where it is ready already. Called by the Makefile.
#
#   sh scripts/environment.sh python   print the interpreter that would be used
#   sh scripts/environment.sh app      what the app needs
#   sh scripts/environment.sh dev      that, and what the tests need
#   sh scripts/environment.sh pins     rewrite constraints.txt after a change of the requirements
#
# PYTHON names the interpreter; without it the first fitting one of PATH is taken.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/.."

oldest=3.11
# The pinned torchvision has no wheel for a newer Python.
newest=3.14
check_version="import sys; sys.exit(not ($(echo $oldest | tr . ,)) <= sys.version_info[:2] <= ($(echo $newest | tr . ,)))"

say() { printf '%s\n' "$@" >&2; }
fail() { say "$@"; exit 1; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3 python3.14 python3.13 python3.12 python3.11 python
    fi
    seen=""
    without_venv=""
    for candidate in "$@"; do
        # A name may be there and not start, as the shims of pyenv do.
        version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        seen="$seen $candidate ($version)"
        "$candidate" -c "$check_version" 2>/dev/null || continue
        if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
        without_venv=${without_venv:-$version}
    done
    if [ -n "$without_venv" ]; then
        fail "Python $without_venv is here, but without its modules venv and ensurepip." \
            "On Debian and Ubuntu they are a package of their own: sudo apt install python$without_venv-venv"
    fi
    fail "RobustIQA needs Python $oldest to $newest; found:${seen:- none}." \
        "Install one (Debian, Ubuntu: sudo apt install python3 python3-venv; Fedora: sudo dnf install python$newest)" \
        "or name one: make app PYTHON=/path/to/python3"
}

make_venv() {
    if .venv/bin/python -c "import pip; $check_version" 2>/dev/null; then
        return
    fi
    python=$(find_python)
    say "Making .venv with $("$python" --version 2>&1) ($python)"
    "$python" -m venv --clear .venv
}

# Writes what .venv holds once it is ready: the requirements word for word, and what else its content hangs on.
describe() {
    pwd
    .venv/bin/python --version
    cat "$@" constraints.txt pyproject.toml
}

# pip takes a package whose installation was cut off half-way for installed; the file INSTALLER is its last.
remove_half_installed() {
    for info in .venv/lib/python3*/site-packages/*.dist-info; do
        if [ -d "$info" ] && [ ! -s "$info/INSTALLER" ]; then
            say "Removing the half-installed $(basename "$info" .dist-info)"
            rm -rf "$info"
        fi
    done
}

pip_install() {
    # The downloads are too large for a /tmp in memory.
    mkdir -p .venv/tmp
    TMPDIR="$PWD/.venv/tmp" .venv/bin/python -m pip --disable-pip-version-check install --no-input "$@"
}

# install NAME REQUIREMENTS...
install() {
    stamp=".venv/$1.stamp"
    shift
    make_venv
    if [ -f "$stamp" ] && describe "$@" | cmp -s - "$stamp"; then
        return
    fi
    rm -rf "$stamp" .venv/tmp
    remove_half_installed
    say "Installing $* into .venv (the first time this takes minutes: torch brings several GB of CUDA libraries)"
    arguments=""
    for file in "$@"; do
        arguments="$arguments -r $file"
    done
    # shellcheck disable=SC2086 # The names of the requirement files have no spaces.
    pip_install -c constraints.txt $arguments ||
        fail "The installation stopped; see the lines above. To go on with it, run the same command again."
    # setuptools, which builds the package, came with torch.
    pip_install --quiet --no-deps --no-build-isolation -e .
    rm -rf .venv/tmp
    describe "$@" >"$stamp.new"
    mv "$stamp.new" "$stamp"
}

write_constraints() {
    make_venv
    rm -f .venv/*.stamp
    pip_install --upgrade --upgrade-strategy eager -r requirements.txt -r requirements-dev.txt
    {
        echo "# Versions of what the requirements bring with them, as tested together. Written by: make pins"
        .venv/bin/python -m pip --disable-pip-version-check freeze --all --exclude-editable --exclude pip |
            grep -vixF -f requirements.txt -f requirements-dev.txt
    } >.venv/constraints.new
    mv .venv/constraints.new constraints.txt
}

case "${1:-}" in
    python) find_python ;;
    app) install app requirements.txt ;;
    dev) install dev requirements.txt requirements-dev.txt ;;
    pins) write_constraints ;;
    *) fail "Expected one of python, app, dev, pins; got '${1:-}'. See the head of $0." ;;
esac
