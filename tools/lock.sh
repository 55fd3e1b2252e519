#!/bin/sh
# Recompiles every lock in requirements/; what is locked stays as far as it still fits. `make lock ARGS=--upgrade`
# brings everything up to date, `make lock ARGS="--upgrade-package NAME"` one package.
set -eu

export UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1 UV_CUSTOM_COMPILE_COMMAND="make lock"

uv=.venv/bin/uv
[ -x "$uv" ] || uv=uv

upgrade="$*"

# compile OUTPUT ARGUMENT...: our own projects are installed from the tree and stand in no lock.
compile() {
    output=$1
    shift
    # shellcheck disable=SC2086 # several options in one variable
    "$uv" pip compile $upgrade --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-emit-package tams-common \
        --output-file "requirements/$output" "$@"
}

# The service images: what the service needs, with the libraries of the adapters that it may be given.
compile_image() {
    service=$1
    shift
    compile "$service.txt" "$@" "services/$service/pyproject.toml" libs/pyproject.toml
}

compile uv.txt requirements/uv.in
compile vast-sdk-suite.txt requirements/vast-sdk-suite.in
compile dev.txt --group dev --extra vast --extra kafka --extra s3 libs/pyproject.toml libs/vast_emulator/pyproject.toml \
    services/*/pyproject.toml demo/pyproject.toml bench/pyproject.toml
compile_image api-gateway
compile_image catalog --extra kafka --extra vast
compile_image segments --extra kafka --extra vast --extra s3
compile_image webhooks --extra kafka --extra vast
compile_image analytics --extra kafka --extra vast
