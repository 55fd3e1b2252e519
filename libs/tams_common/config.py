"""Configuration: frozen, documented structs, read once at the edge; a wrong key stops the start and names itself.

A key is `TAMS_` and the field's name for what all services share, `TAMS_<SERVICE>_` and the name for a service's own.
"""

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from tams_common.errors import StartRefused

C = TypeVar("C", bound=msgspec.Struct)

PREFIX: Final = "TAMS_"
_TEN_YEARS: Final = 10 * 365 * 24 * 3600
"""Seconds: times beyond that are slips, and would not fit into the nanoseconds of a row."""
SERVICE_NAMES: Final = ("api-gateway", "catalog", "segments", "webhooks", "analytics")
_TYPES: Final = {int: "a whole number", float: "a number"}
_IGNORED: Final = re.compile(r"TAMS_TEST_.*|.*_SERVICE_HOST|.*_SERVICE_PORT(_.*)?|.*_PORT|.*_PORT_\d+_.*")


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """What all services share.

    store_url: tables: `sqlite:DIRECTORY` (one file per service), `sqlite::memory:` or `vast://endpoint/bucket/schema`.
    bus_url: events: `sqlite:DIRECTORY`, `sqlite::memory:` or `kafka://host:port,…`.
    objects_url: media: `local:DIRECTORY`, `local::memory:` (a private temporary directory), or `s3:FILE.toml`: storage
        backends that the file declares (`docs/storage.md`).
    listen: `HOST:PORT` on which the process serves; port 0 takes a free one.
    catalog_url, segments_url, webhooks_url, analytics_url: where the services are that do not run in this process.
    public_url: the address under which clients reach the gateway (scheme, host, prefix); empty: as each request says.
    vast_access_key, vast_secret_key: the S3 key of the VAST user whose tables these are.
    vast_secret_key_file: a file with the secret instead.
    min_object_timeout: seconds for which an unregistered media object is kept at least, 300 or more (SVC-8).
    min_presigned_url_timeout: seconds for which a presigned URL works at least, 30 or more, and no more than
        `min_object_timeout` (SVC-9).
    default_limit, max_limit: items on a page without `limit`, and at most (PAG-2).
    log_format: `json`, `pretty`, or `auto`: pretty on a terminal, JSON elsewhere.
    log_level: the lowest level that is written: `debug`, `info`, `warning` or `error`.
    """

    store_url: str = "sqlite:.tams"
    bus_url: str = "sqlite:.tams"
    objects_url: str = "local:.tams/media"
    listen: str = "127.0.0.1:4010"
    catalog_url: str = "http://tams-catalog:4010"
    segments_url: str = "http://tams-segments:4010"
    webhooks_url: str = "http://tams-webhooks:4010"
    analytics_url: str = "http://tams-analytics:4010"
    public_url: str = ""
    vast_access_key: str = ""
    vast_secret_key: str = ""
    vast_secret_key_file: str = ""
    min_object_timeout: int = 600
    min_presigned_url_timeout: int = 300
    default_limit: int = 30
    max_limit: int = 1000
    log_format: Literal["auto", "json", "pretty"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def __post_init__(self) -> None:
        if not 300 <= self.min_object_timeout <= _TEN_YEARS:
            raise ValueError(f"min_object_timeout must lie between 300 (SVC-8) and {_TEN_YEARS} seconds")
        if not 30 <= self.min_presigned_url_timeout <= self.min_object_timeout:
            raise ValueError("min_presigned_url_timeout must lie between 30 seconds and min_object_timeout (SVC-9)")
        if not 1 <= self.default_limit <= self.max_limit:
            raise ValueError("default_limit must lie between 1 and max_limit")


def service_prefix(service: str) -> str:
    """`api-gateway` → `TAMS_API_GATEWAY_`."""
    return f"{PREFIX}{service.replace('-', '_').upper()}_"


def read(kind: type[C], prefix: str, *, environ: Mapping[str, str]) -> C:
    """Fills `kind` from the keys of `environ` that begin with `prefix`; raises `StartRefused` naming a bad key."""
    values: dict[str, str] = {}
    for name in kind.__struct_fields__:
        key = prefix + name.upper()
        if key in environ:
            values[name] = environ[key]
    try:
        config = msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise StartRefused(_named(_in_words(str(error), kind, values=values), kind, prefix=prefix)) from None
    for name, value in msgspec.structs.asdict(config).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise StartRefused(_named(f"{name} must be a finite number", kind, prefix=prefix))
    return config


def secret_of(value: str, path: str, *, key: str) -> str:
    """A secret that is given as it is, or in the file `path`: `key` is the latter's configuration key.

    Raises `StartRefused` for a file that cannot be read.
    """
    if value or not path:
        return value
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StartRefused(f"configuration key {key}: {path} cannot be read: {error}") from error


def _in_words(message: str, kind: type[msgspec.Struct], *, values: Mapping[str, str]) -> str:
    """`message` as an operator understands it, where it is about a value that is not of its field's type."""
    located = re.search(r" - at `\$\.(\w+)`$", message)
    if located is None:
        return message
    field, hint = located[1], get_type_hints(kind)[located[1]]
    wanted = f"one of {', '.join(get_args(hint))}" if get_origin(hint) is Literal else _TYPES[hint]
    return f"{field} must be {wanted}, not {values[field]!r}"


def _named(message: str, kind: type[msgspec.Struct], *, prefix: str) -> str:
    """`message` with the key it is about: the one that msgspec finds missing, or that our own rules begin with."""
    located = re.search(r"`(\w+)`$", message)
    field = located[1] if located else message.partition(" ")[0]
    key = f"{prefix}{field.upper()}" if field in kind.__struct_fields__ else f"{prefix}*"
    return f"configuration key {key}: {message}"


def check_keys(environ: Mapping[str, str], known: Mapping[str, type[msgspec.Struct]]) -> None:
    """Refuses a `TAMS_…` key that no service has. `known` maps the installed services' names to their structs; keys of
    services that are not installed here are left to those."""
    allowed = set(_keys(Common, PREFIX))
    for service, kind in known.items():
        allowed.update(_keys(kind, service_prefix(service)))
    absent = tuple(service_prefix(name) for name in SERVICE_NAMES if name not in known)
    for key in sorted(environ):
        if not key.startswith(PREFIX) or key in allowed or key.startswith(absent) or _IGNORED.fullmatch(key):
            continue
        raise StartRefused(f"unknown configuration key {key}; `tams services` lists the keys that exist")


def _keys(kind: type[msgspec.Struct], prefix: str) -> Iterable[str]:
    return (prefix + name.upper() for name in kind.__struct_fields__)
