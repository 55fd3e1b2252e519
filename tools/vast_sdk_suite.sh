#!/bin/sh
# Makes .venv-vast, in which the SDK's suite runs, from its own lock if it is not there yet, and runs the suite against
# an emulator out of .venv. Run by make from the top of the checkout.
set -eu

venv=.venv-vast
lock=requirements/vast-sdk-suite.txt
stamp=$venv/ready

export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 UV_SYSTEM_CERTS=1 UV_LINK_MODE=copy
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH || true

uv=.venv/bin/uv
[ -x "$uv" ] || uv=uv

wanted=$({ pwd; cat "$lock"; } | cksum)
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    printf 'vast-sdk-suite: making %s\n' "$venv"
    rm -rf "$venv"
    "$uv" venv --quiet --python .venv/bin/python "$venv"
    "$uv" pip sync --quiet --python "$venv/bin/python" --require-hashes "$lock"
    printf '%s\n' "$wanted" >"$stamp"
fi
exec .venv/bin/python -m tools.vast_sdk_suite --python "$venv/bin/python" "$@"
