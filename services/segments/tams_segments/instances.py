"""The instances of an object: where its bytes are, in backends of this store or elsewhere (INS)."""

from collections.abc import Iterable
from typing import Final, Protocol, TypeAlias

import msgspec

from tams_common.errors import InvalidInput
from tams_segments.tables import MediaObject

INSTANCES_LIMIT: Final = 64 * 1024
"""Bytes of an object's further instances as JSON, well within what a cell holds."""


class Controlled(msgspec.Struct, frozen=True, array_like=True, tag="in"):
    """Bytes in the backend `storage_id` under `storage_key`. Until `ready` they are being copied, and nobody is told of
    them (T-62); the key is only the job's then, as it is not yet known which upload will be shown."""

    storage_id: str
    storage_key: str
    ready: bool = True


class Uncontrolled(msgspec.Struct, frozen=True, array_like=True, tag="at"):
    """A URL outside of this store, which neither checks nor removes what is there (SGP-14, TMO-7)."""

    url: str
    label: str

    @property
    def ready(self) -> bool:
        """Always: its client has seen to it (INS-8)."""
        return True


Instance: TypeAlias = Controlled | Uncontrolled


class Stored(Protocol):
    """Where the bytes of an object are, as the columns of `MediaObject` have it."""

    @property
    def storage_id(self) -> str | None: ...
    @property
    def storage_key(self) -> str | None: ...
    @property
    def instances(self) -> bytes: ...


_decode: Final = msgspec.json.Decoder(tuple[Instance, ...]).decode
_encode: Final = msgspec.json.Encoder().encode


def instances_of(known: Stored) -> list[Instance]:
    """All instances, those that are being copied included, in the order in which they are shown."""
    own: list[Instance] = []
    if known.storage_id is not None and known.storage_key is not None:
        own.append(Controlled(known.storage_id, known.storage_key))
    return [*own, *further(known)]


def further(known: Stored) -> tuple[Instance, ...]:
    """The instances beside the first controlled one: most objects have none, and pages look at thousands."""
    return _decode(known.instances) if known.instances else ()


def controlled(known: Stored) -> list[Controlled]:
    """The instances in backends of this store, those that are being copied included."""
    return [instance for instance in instances_of(known) if isinstance(instance, Controlled)]


def with_instances(known: MediaObject, instances: Iterable[Instance], *, field: str = "get_urls") -> MediaObject:
    """The object with `instances` in place of those that it has; raises `InvalidInput` about the member `field` of the
    request when a row cannot hold them."""
    rest = list(instances)
    first = next((one for one in rest if isinstance(one, Controlled) and one.ready), None)
    if first is not None:
        rest.remove(first)
    encoded = _encode(rest) if rest else b""
    if len(encoded) > INSTANCES_LIMIT:
        raise InvalidInput(f"the object's instances would have more than {INSTANCES_LIMIT} bytes", field=field)
    return msgspec.structs.replace(
        known,
        storage_id=None if first is None else first.storage_id,
        storage_key=None if first is None else first.storage_key,
        instances=encoded,
    )
