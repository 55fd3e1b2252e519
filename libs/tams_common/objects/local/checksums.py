"""Checksums that clients may send with an upload, verified while it streams in (INT-2, STO-20)."""

import base64
import hashlib
import zlib
from collections.abc import Mapping
from typing import Final, Protocol

from tams_common.errors import InvalidInput

_PREFIX: Final = "x-amz-checksum-"
_NOT_A_SUM: Final = frozenset({"x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-checksum-mode"})


class Digest(Protocol):
    """What `hashlib` objects have."""

    def update(self, data: bytes, /) -> None:
        """Takes more bytes in."""
        ...

    def digest(self) -> bytes:
        """The sum of all bytes so far."""
        ...


class Crc32:
    """CRC-32 with the interface of `hashlib`."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        """Takes more bytes in."""
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        """The sum, big-endian."""
        return self._value.to_bytes(4, "big")


class Checksums:
    """The sums of one upload: MD5 always (it is the ETag), and each one that the request's headers give."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._given: dict[str, str] = {}
        self._digests: dict[str, Digest] = {}
        for header, value in headers.items():
            name = header.lower()
            if name == "content-md5":
                self._expect(name, value, digest=self._md5)
            elif name.startswith(_PREFIX) and name not in _NOT_A_SUM:
                self._expect(name, value, digest=_digest(name))

    def _expect(self, name: str, value: str, *, digest: Digest) -> None:
        self._given[name] = value.strip()
        self._digests[name] = digest

    def update(self, data: bytes) -> None:
        """Takes more bytes of the body in."""
        self._md5.update(data)
        for name, digest in self._digests.items():
            if name != "content-md5":
                digest.update(data)

    def verify(self) -> None:
        """Raises `InvalidInput` naming the header whose sum is not that of the body."""
        for name, digest in self._digests.items():
            actual = base64.b64encode(digest.digest()).decode()
            if actual != self._given[name]:
                raise InvalidInput(f"{name} is {self._given[name]}, but the body's is {actual}", field=name)

    @property
    def etag(self) -> str:
        """The body's MD5 in hexadecimal."""
        return self._md5.hexdigest()

    @property
    def kept(self) -> dict[str, str]:
        """The `x-amz-checksum-*` headers to return with the object."""
        return {name: value for name, value in self._given.items() if name.startswith(_PREFIX)}


def _digest(name: str) -> Digest:
    algorithm = name.removeprefix(_PREFIX)
    if algorithm == "crc32":
        return Crc32()
    if algorithm in ("sha1", "sha256"):
        return hashlib.new(algorithm, usedforsecurity=False)
    raise InvalidInput(f"{name} is not supported here; use x-amz-checksum-crc32, -sha1 or -sha256", field=name)
