"""`tams dev`: the whole store in one process, on a data directory of its own."""

import fcntl
import os
import secrets
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from tams_common.errors import StartRefused
from tams_common.runtime import registry
from tams_common.runtime.host import Host
from tams_common.runtime.process import serve_until_signal

FLOW_ID: Final = "30000000-0000-4000-8000-000000000001"
SOURCE_ID: Final = "40000000-0000-4000-8000-000000000001"
"""Others than the README's, whose flow has another format: whoever follows both meets no refusal."""


async def serve(data: Path, options: Mapping[str, str], *, environ: Mapping[str, str]) -> None:
    """Runs every installed service until SIGTERM or SIGINT. `options` come from the command line and win.

    Raises `StartRefused` when another `tams dev` uses `data`, or the data are of a newer version.
    """
    with locked(data):
        token = options.get("token") or dev_token(data)
        chosen = webhook_keys(data) | configuration(data, options, environ=environ) | gateway_token(token)
        host = Host(registry.load_all(), chosen, migrate=True)
        await serve_until_signal(host, lambda: greeting(host, data, token=token))


def configuration(data: Path, options: Mapping[str, str], *, environ: Mapping[str, str]) -> dict[str, str]:
    """The configuration of a development store: all under `data` unless `options` or `environ` say otherwise."""
    chosen = {"store": f"sqlite:{data}", "bus": f"sqlite:{data}", "objects": f"local:{data / 'media'}"}
    keys = {"store": "TAMS_STORE_URL", "bus": "TAMS_BUS_URL", "objects": "TAMS_OBJECTS_URL", "listen": "TAMS_LISTEN"}
    defaults = {keys[name]: url for name, url in chosen.items()}
    return defaults | dict(environ) | {keys[name]: value for name, value in options.items() if name in keys}


def gateway_token(token: str) -> dict[str, str]:
    """The key by which the gateway learns the development token."""
    return {"TAMS_API_GATEWAY_TOKEN": token}


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Holds `data` for this process; raises `StartRefused` when another one holds it."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock: IO[str] = (data / "lock").open("a+")
    except OSError as error:
        raise StartRefused(f"the data directory {data} cannot be used: {error.strerror or error}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise StartRefused(f"another `tams dev` (process {holder}) uses the data directory {data}") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def dev_token(data: Path) -> str:
    """The development token of `data`: made at the first start, readable by its owner only.

    Raises `StartRefused` when `data` cannot be read or written.
    """
    return _kept(data / "token", "token", make=lambda: f"dev-{secrets.token_urlsafe(18)}")


def webhook_keys(data: Path) -> dict[str, str]:
    """The keys of webhooks in `data`, made like the token, and the permission to deliver to this machine.

    Raises `StartRefused` when `data` cannot be read or written.
    """
    encryption, signing = data / "webhook-encryption-key", data / "webhook-signing-key"
    _kept(encryption, "key", make=lambda: urlsafe_b64encode(secrets.token_bytes(32)).decode())
    _kept(signing, "key", make=lambda: f"whsk_{b64encode(secrets.token_bytes(32)).decode()}")
    return {
        "TAMS_WEBHOOKS_ENCRYPTION_KEYS_FILE": str(encryption),
        "TAMS_WEBHOOKS_SIGNING_KEYS_FILE": str(signing),
        "TAMS_WEBHOOKS_ALLOW": "127.0.0.0/8,::1/128,localhost",
    }


def _kept(path: Path, what: str, *, make: Callable[[], str]) -> str:
    """The secret in the file `path`, made when there is none yet."""
    try:
        if path.exists():
            return path.read_text().strip()
        path.parent.mkdir(parents=True, exist_ok=True)
        secret = make()
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret + "\n")
    except OSError as error:
        raise StartRefused(f"the {what} {path} cannot be kept: {error.strerror or error}") from error
    return secret


def greeting(host: Host, data: Path, *, token: str) -> str:
    """What a newcomer reads at the start: where the store is, and three requests that work when pasted."""
    auth = f"-H 'Authorization: Bearer {token}'"
    flow = (
        f'{{"id":"{FLOW_ID}","source_id":"{SOURCE_ID}","format":"urn:x-nmos:format:data","codec":"application/json",'
        f'"container":"application/json","label":"hello","essence_parameters":{{}}}}'
    )
    return f"""
  Time-addressable Media Store, API 8.2: every service in one process

  URL    {host.url}
  Docs   {host.url}/docs
  Token  {token}
  Data   {data}

  Try it:
    curl {auth} {host.url}/service
    curl {auth} -X PUT -d '{flow}' {host.url}/flows/{FLOW_ID}
    curl {auth} {host.url}/flows
"""
