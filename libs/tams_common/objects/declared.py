"""Storage backends as an operator declares them: a TOML file with a `[[backend]]` for each (`docs/storage.md`)."""

import re
import ssl
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from tams_common.errors import StartRefused
from tams_common.ids import StorageId, is_uuid
from tams_common.objects.port import Backend, Offered

Kind: TypeAlias = Literal["presigned", "plain"]
Seconds: TypeAlias = Annotated[float, msgspec.Meta(gt=0, le=3600)]

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_CREDENTIALS: Final = re.compile(r"chain|environment:[A-Za-z_][A-Za-z0-9_]*|file:.+")
_LABEL: Final = re.compile(r"[^,]+")
_PREFIX: Final = re.compile(r"([A-Za-z0-9._=-]+/)*")
_UNNAMED_FIELD: Final = re.compile(r"(?:unknown|required) field `(\w+)`")
_LOCATED: Final = re.compile(r"`\$\.(\w+)")


class Described(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every backend may have.

    id: the UUID by which the index finds the backend's objects again: it must never change.
    label: how clients choose its URLs (`accept_get_urls`); without a comma, unique.
    default: where objects go that do not say where; one backend at most.
    region, availability_zone: shown to clients. tags: shown, and filtered by; names with one or several values.
    """

    id: str
    label: str | None = None
    default: bool = False
    availability_zone: str | None = None
    tags: dict[str, str | list[str]] = {}

    def __post_init__(self) -> None:
        _demand(is_uuid(self.id), f"id must be a UUID in lower case, not {self.id!r}")
        _demand(self.label is None or bool(_LABEL.fullmatch(self.label)), "label must not be empty or hold a comma")


class LocalBackend(Described, frozen=True, tag_field="kind", tag="local"):
    """Media in a directory, at URLs that point back at the store.

    directory: where the files lie. region: shown to clients. size_limit: the largest object, in bytes.
    """

    directory: str
    region: str | None = None
    size_limit: Annotated[int, msgspec.Meta(gt=0)] = 5 * 1024**3

    @property
    def backend(self) -> Backend:
        """What clients are told of it."""
        return described(self, region=self.region, provider="local", store_product="tams-local")


class S3Backend(Described, frozen=True, tag_field="kind", tag="s3"):
    """A bucket of an S3 store.

    bucket, prefix: where the objects are; a prefix ends with `/`.
    endpoint: `https://HOST[:PORT][/PATH]` by which the services reach the store; default: AWS in `region`.
    public_endpoint: the same as clients reach it, which is signed into URLs; default: `endpoint`.
    plain_url: what stands before prefix and key in plain URLs (a CDN, say); default: the bucket at `public_endpoint`.
    addressing: `virtual` (`https://BUCKET.HOST/KEY`) or `path` (`https://HOST/BUCKET/KEY`).
    region: signed for, and shown to clients.
    credentials: `chain` (what AWS tools look for, instance and container roles included), `environment:NAME`
    (`NAME_ACCESS_KEY_ID`, `NAME_SECRET_ACCESS_KEY`, `NAME_SESSION_TOKEN`) or `file:PATH` (in the form of
    `~/.aws/credentials`, its profile `default` or `PATH#PROFILE`).
    provider, store_product: shown to clients, who choose checksum headers by the latter (INT-4); to be given with an
    `endpoint`, otherwise `aws` and `s3`.
    get_urls, put_urls: kinds of URLs for reading and writing, `presigned` and `plain`.
    cors_origins: web origins that may read and write, applied by `tams storage init`; `["*"]` is all, `[]` leaves the
    bucket's rules alone.
    connect_timeout, read_timeout: seconds. attempts: tries of a request, the first included. ca_file: certificates of
    the authorities to trust instead of the system's.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    public_endpoint: str = ""
    plain_url: str = ""
    addressing: Literal["virtual", "path"] = "virtual"
    region: str = "us-east-1"
    credentials: str = "chain"
    provider: str = ""
    store_product: str = ""
    get_urls: tuple[Kind, ...] = ("presigned",)
    put_urls: tuple[Kind, ...] = ("presigned",)
    cors_origins: tuple[str, ...] = ("*",)
    connect_timeout: Seconds = 5.0
    read_timeout: Seconds = 60.0
    attempts: Annotated[int, msgspec.Meta(ge=1, le=20)] = 4
    ca_file: str = ""

    def __post_init__(self) -> None:
        Described.__post_init__(self)
        _demand(bool(_BUCKET.fullmatch(self.bucket)), f"bucket must be a bucket's name, not {self.bucket!r}")
        _demand(_is_prefix(self.prefix), f"prefix must be like `a/b/`, not {self.prefix!r}")
        _demand(bool(_CREDENTIALS.fullmatch(self.credentials)), "credentials must be chain, environment:… or file:…")
        for name in ("endpoint", "public_endpoint", "plain_url"):
            _demand(_is_address(getattr(self, name)), f"{name} must be http://… or https://…, without a query")
        _demand(
            _has_certificates(self.ca_file), f"ca_file must be a file with certificates (PEM), not {self.ca_file!r}"
        )
        for name in ("get_urls", "put_urls"):
            _demand(bool(getattr(self, name)), f"{name} must name `presigned`, `plain` or both")
        for name in ("provider", "store_product"):
            known = not self.endpoint or bool(getattr(self, name))
            _demand(known, f"{name} must say what answers at the endpoint (INT-4)")

    @property
    def api(self) -> str:
        """The endpoint for the services, without a slash at its end."""
        return (self.endpoint or f"https://s3.{self.region}.amazonaws.com").rstrip("/")

    @property
    def public(self) -> str:
        """The endpoint for clients, without a slash at its end."""
        return (self.public_endpoint or self.api).rstrip("/")

    @property
    def reading(self) -> Offered:
        """The URLs for GET."""
        return Offered(presigned="presigned" in self.get_urls, plain="plain" in self.get_urls)

    @property
    def writing(self) -> Offered:
        """The URLs for PUT."""
        return Offered(presigned="presigned" in self.put_urls, plain="plain" in self.put_urls)

    @property
    def backend(self) -> Backend:
        """What clients are told of it."""
        provider, product = self.provider or "aws", self.store_product or "s3"
        return described(self, region=self.region, provider=provider, store_product=product)


AnyBackend: TypeAlias = LocalBackend | S3Backend


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    backend: list[dict[str, object]]


def described(one: Described, *, region: str | None, provider: str, store_product: str) -> Backend:
    """`/service/storage-backends` of a declaration."""
    return Backend(
        id=StorageId(one.id),
        store_type="http_object_store",
        provider=provider,
        store_product=store_product,
        label=one.label,
        region=region,
        availability_zone=one.availability_zone,
        default_storage=one.default,
        tags=one.tags,
    )


def read_backends(path: Path) -> tuple[AnyBackend, ...]:
    """The backends of a file, the default one first; raises `StartRefused` naming the file and the key at fault."""
    try:
        given = msgspec.convert(tomllib.loads(path.read_text()), _File)
    except OSError as error:
        raise StartRefused(f"storage file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartRefused(f"storage file {path} is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise StartRefused(f"storage file {path}: key {_key_of(str(error))}: {error}") from None
    found = [_backend(one, f"storage file {path}, backend {number}") for number, one in enumerate(given.backend, 1)]
    _check_together(found, path)
    return tuple(sorted(found, key=lambda one: not one.default))


def _backend(given: dict[str, object], where: str) -> AnyBackend:
    where += f" ({given['label']})" if isinstance(given.get("label"), str) else ""
    try:
        return _convert(given)
    except msgspec.ValidationError as error:
        raise StartRefused(f"{where}: key {_key_of(str(error))}: {error}") from None


def _convert(given: object) -> AnyBackend:
    found: AnyBackend = msgspec.convert(given, AnyBackend)
    return found


def _key_of(message: str) -> str:
    """The key that a message of msgspec is about, or that our own rules begin with."""
    found = _UNNAMED_FIELD.search(message) or _LOCATED.search(message)
    return found[1] if found else message.partition(" ")[0]


def _check_together(found: Sequence[AnyBackend], path: Path) -> None:
    if not found:
        raise StartRefused(f"storage file {path}: key backend: there is none")
    for name in ("id", "label"):
        values = [value for one in found if (value := getattr(one, name)) is not None]
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise StartRefused(f"storage file {path}: key {name}: {twice[0]!r} is given to two backends")
    if sum(one.default for one in found) > 1:
        raise StartRefused(f"storage file {path}: key default: one backend at most is the default one (STB-4)")


def _demand(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)


def _has_certificates(path: str) -> bool:
    try:
        return not path or bool(ssl.create_default_context(cafile=path))
    except OSError:
        return False


def _is_prefix(text: str) -> bool:
    return _PREFIX.fullmatch(text) is not None and not {".", ".."} & set(text.split("/")) and len(text) <= 200


def _is_address(text: str) -> bool:
    parts = urlsplit(text)
    unwanted = parts.query or parts.fragment or parts.username is not None
    return not text or (parts.scheme in ("http", "https") and bool(parts.hostname) and not unwanted)
