#!/bin/sh
# Makes .venv with everything that development needs. Run by make from the top of the checkout; says nothing when there
# is nothing to do. PYTHON=... chooses the interpreter.
set -eu

venv=.venv
stamp=$venv/ready

fail() {
    printf 'setup: %s\n' "$1" >&2
    exit 1
}

# Same checkout, same locks, same projects: the environment can stay.
fingerprint() {
    { pwd; cat tools/setup.sh requirements/uv.txt requirements/dev.txt; cat libs/pyproject.toml libs/*/pyproject.toml services/*/pyproject.toml \
        demo/pyproject.toml bench/pyproject.toml; } | cksum
}

runs() {
    "$1" -I -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1
}

# The environment may be active in the shell that called, but it cannot make itself.
PATH=$(printf '%s\n' "$PATH" | tr ':' '\n' | grep -Fvx "$(pwd)/$venv/bin" | paste -sd: -)

# A name on PATH is no promise: version managers leave stubs that only complain, so every one is tried.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        runs "$PYTHON" || fail "PYTHON=$PYTHON does not run or is not Python 3.11, 3.12 or 3.13"
        printf '%s\n' "$PYTHON"
        return
    fi
    for name in python3.13 python3.12 python3.11 python3 python; do
        old_ifs=$IFS
        IFS=:
        for folder in $PATH; do
            IFS=$old_ifs
            if [ -x "$folder/$name" ] && runs "$folder/$name"; then
                printf '%s\n' "$folder/$name"
                return
            fi
        done
        IFS=$old_ifs
    done
    fail "found no Python 3.11, 3.12 or 3.13 on PATH; install one or say where it is: make setup PYTHON=/path/to/python3"
}

have_uv() {
    uv --version >/dev/null 2>&1
}

# Made here, for a Python that still runs, and with a way to install into it.
usable() {
    [ "$(cat "$venv/checkout" 2>/dev/null)" = "$(pwd)" ] && runs "$venv/bin/python" &&
        { have_uv || "$venv/bin/python" -m pip --version >/dev/null 2>&1; }
}

wanted=$(fingerprint)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && runs "$venv/bin/python"; then
    exit 0
fi
rm -f "$stamp"

export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 UV_SYSTEM_CERTS=1 UV_LINK_MODE=copy
export PIP_DISABLE_PIP_VERSION_CHECK=1
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH || true

if ! usable; then
    python=$(find_python) || exit 1
    printf 'setup: making %s with %s\n' "$venv" "$("$python" -I -c 'import platform; print("Python", platform.python_version())')"
    rm -rf "$venv"
    if have_uv; then
        uv venv --quiet --python "$python" "$venv"
    else
        "$python" -I -m venv "$venv" || fail "this Python cannot make virtual environments (Debian: apt-get install python3-venv)"
    fi
    pwd >"$venv/checkout"
fi
if have_uv; then
    uv=uv
else
    uv=$venv/bin/uv
    "$venv/bin/python" -m pip install --quiet --require-hashes -r requirements/uv.txt
fi

printf 'setup: installing what requirements/dev.txt locks\n'
"$uv" pip sync --quiet --python "$venv/bin/python" --require-hashes requirements/dev.txt
set --
for project in libs libs/*/pyproject.toml services/*/ demo bench; do
    project=${project%/pyproject.toml}
    set -- "$@" --editable "$project"
done
"$uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation "$@"
printf '%s\n' "$wanted" >"$stamp"
