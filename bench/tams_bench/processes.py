"""The processes that are measured: a real `tams dev`, and the bare handler beside it."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

import msgspec

TOKEN: Final = "bench-token"


class Process(msgspec.Struct, frozen=True):
    """A server under measurement: its port on 127.0.0.1, its process id, seconds from start to ready, its data."""

    port: int
    pid: int
    started: float
    data: Path

    @property
    def resident(self) -> int:
        """Resident memory in bytes."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", text)
        return int(found[1]) * 1024 if found else 0


@contextmanager
def store(data: Path, *words: str) -> Iterator[Process]:
    """`tams dev WORDS…` on the directory `data`, ready to serve; its log goes to a file there.

    It answers a DELETE after the first batch: what is measured beside a deletion must not wait for it.
    """
    script = Path(sys.executable).with_name("tams")
    data.mkdir(parents=True, exist_ok=True)
    with (data / "log").open("ab") as log:
        command = [str(script), "dev", "--listen", "127.0.0.1:0", "--data", str(data), "--token", TOKEN, *words]
        begin = time.perf_counter()
        environ = os.environ | {"TAMS_SEGMENTS_DELETE_BUDGET": "0"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environ) as child:
            try:
                port = _port_of(child)
                _wait_ready(port)
                yield Process(port, child.pid, time.perf_counter() - begin, data)
            finally:
                child.terminate()
                child.wait()


def _port_of(child: "subprocess.Popen[str]") -> int:
    assert child.stdout is not None
    for line in child.stdout:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        if found:
            return int(found[1])
    raise RuntimeError("the process ended before it served; see its log")


def _wait_ready(port: int) -> None:
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz"):
                return
        except URLError:
            time.sleep(0.01)


@contextmanager
def emulator() -> Iterator[str]:
    """`tams vast-emulator`, its tables in memory; yields its address as `host:port`."""
    script = Path(sys.executable).with_name("tams")
    command = [str(script), "vast-emulator", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield f"127.0.0.1:{_port_of(child)}"
        finally:
            child.terminate()
            child.wait()


@contextmanager
def bare(body: bytes) -> Iterator[int]:
    """The bare handler that returns `body`; yields its port."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        command = [sys.executable, "-m", "tams_bench.bare", file.name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            try:
                assert child.stdout is not None
                yield int(child.stdout.readline())
            finally:
                child.terminate()
                child.wait()
