"""Picks adapters by URL scheme. An adapter and its library are imported when a URL asks for them, and only here."""

from collections.abc import Sequence
from pathlib import Path

from tams_common.bus import Bus
from tams_common.config import Common, secret_of
from tams_common.errors import StartRefused
from tams_common.objects import Objects
from tams_common.objects.declared import AnyBackend, LocalBackend, read_backends
from tams_common.store import Store
from tams_common.store.table import AnyTable

MEMORY = ":memory:"


def make_store(common: Common, name: str, *, tables: Sequence[AnyTable]) -> Store:
    """The tables of the service `name`, not yet opened."""
    url = common.store_url
    scheme, place = split(url, "store_url")
    if scheme == "sqlite":
        from tams_common.store.sqlite import SqliteStore

        return SqliteStore(directory_of(place), name, tables=tables)
    if scheme in ("vast", "vast+https"):
        from tams_common.store.vast import VastStore, place_of

        secret = secret_of(common.vast_secret_key, common.vast_secret_key_file, key="TAMS_VAST_SECRET_KEY_FILE")
        return VastStore(place_of(url, access_key=common.vast_access_key, secret_key=secret), name, tables=tables)
    raise StartRefused(
        f"configuration key TAMS_STORE_URL: no store is known for {url!r}; "
        "expected sqlite:DIRECTORY or vast://HOST:PORT/BUCKET/SCHEMA"
    )


def make_bus(url: str) -> Bus:
    """The bus at `url`, not yet opened."""
    scheme, place = split(url, "bus_url")
    if scheme == "sqlite":
        from tams_common.bus.sqlite import SqliteBus

        return SqliteBus(directory_of(place))
    if scheme == "kafka":
        try:
            from tams_common.bus.kafka import KafkaBus, settings_of
        except ModuleNotFoundError as error:
            raise StartRefused(
                f"configuration key TAMS_BUS_URL: kafka: needs the library {error.name}: install tams-common[kafka]"
            ) from error
        return KafkaBus(settings_of(url))
    raise StartRefused(
        f"configuration key TAMS_BUS_URL: no bus is known for {scheme}:; expected sqlite:DIRECTORY or kafka://HOST:PORT"
    )


def make_objects(common: Common) -> tuple[Objects, ...]:
    """The storage backends of the configuration, the default one first, not yet opened."""
    scheme, place = split(common.objects_url, "objects_url")
    if scheme == "local":
        from tams_common.objects.local import LocalObjects

        return (LocalObjects(directory_of(place), url_lifetime=common.min_presigned_url_timeout),)
    if scheme == "s3":
        declared = read_backends(Path(place))
        return tuple(_make_backend(one, url_lifetime=common.min_presigned_url_timeout) for one in declared)
    raise StartRefused(
        f"configuration key TAMS_OBJECTS_URL: no backend is known for {common.objects_url!r}; "
        "expected local:DIRECTORY or s3:FILE.toml"
    )


def _make_backend(declared: AnyBackend, *, url_lifetime: int) -> Objects:
    if isinstance(declared, LocalBackend):
        from tams_common.objects.local import LocalObjects

        directory = directory_of(declared.directory)
        return LocalObjects(
            directory, url_lifetime=url_lifetime, size_limit=declared.size_limit, backend=declared.backend
        )
    try:
        from tams_common.objects.s3 import S3Objects
    except ModuleNotFoundError as error:
        raise StartRefused(
            f"configuration key TAMS_OBJECTS_URL: s3: needs the library {error.name}: install tams-common[s3]"
        ) from error
    return S3Objects(declared, url_lifetime=url_lifetime)


def split(url: str, key: str) -> tuple[str, str]:
    """Scheme and place of `sqlite:.tams` and its kind."""
    scheme, colon, place = url.partition(":")
    if not colon or not place:
        raise StartRefused(f"configuration key TAMS_{key.upper()}: {url!r} is not SCHEME:PLACE")
    return scheme, place


def directory_of(place: str) -> Path | None:
    """The directory of an embedded adapter; None for `:memory:`, which is a private temporary one."""
    return None if place == MEMORY else Path(place)
