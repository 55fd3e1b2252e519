"""The members of flows and sources that have paths of their own: how each is read and replaced (SUB)."""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from msgspec import UNSET, Struct
from msgspec.structs import replace

from tams_catalog.linking import inherited
from tams_common.errors import NotFound
from tams_common.model.flow import CollectionItem, Flow
from tams_common.model.source import Source
from tams_common.model.values import NonNegative, Tags

T = TypeVar("T")


class Member(Struct, Generic[T], frozen=True):
    """One member of a `T`. `kind` is the type of its JSON, `unset` what GET shows when it has no value (T-21)."""

    kind: object
    get: Callable[[T], object]
    put: Callable[[T, object], T]
    unset: object = None

    def shown(self, resource: T) -> object:
        """What GET shows."""
        value = self.get(resource)
        return self.unset if value is UNSET else value


def _common(name: str, kind: object, *, unset: object = None) -> Member[Flow]:
    def put(flow: Flow, value: object) -> Flow:
        return replace(flow, common=replace(flow.common, **{name: value}))

    return Member(kind, lambda flow: getattr(flow.common, name), put, unset)


def _technical(name: str, kind: object) -> Member[Flow]:
    def put(flow: Flow, value: object) -> Flow:
        if flow.profile_id:
            raise inherited(name, flow.profile_id)
        return replace(flow, technical=replace(flow.technical, **{name: value}))

    return Member(kind, lambda flow: getattr(flow.technical, name), put)


def _source(name: str, kind: object) -> Member[Source]:
    return Member(kind, lambda source: getattr(source, name), lambda source, value: replace(source, **{name: value}))


FLOW_LABEL: Final = _common("label", str)
FLOW_DESCRIPTION: Final = _common("description", str)
FLOW_TAGS: Final = _common("tags", Tags)
FLOW_READ_ONLY: Final = _common("read_only", bool, unset=False)
FLOW_COLLECTION: Final = _common("flow_collection", tuple[CollectionItem, ...], unset=())
FLOW_MAX_BIT_RATE: Final = _common("max_bit_rate", NonNegative)
FLOW_AVG_BIT_RATE: Final = _technical("avg_bit_rate", NonNegative)
SOURCE_LABEL: Final = _source("label", str)
SOURCE_DESCRIPTION: Final = _source("description", str)
SOURCE_TAGS: Final = _source("tags", Tags)
TAG_VALUE: Final[object] = str | tuple[str, ...]
"""A tag's value: text, or a list of texts (TAG-1)."""


def tag(tags: Member[T], name: str) -> Member[T]:
    """The tag `name` among `tags`. Putting UNSET removes it; `NotFound` for one that is not there (SUB-4, SRC-16)."""

    def get(resource: T) -> object:
        found = _tags(tags, resource)
        if name not in found:
            raise NotFound(f"there is no tag {name}")
        return found[name]

    def put(resource: T, value: object) -> T:
        if value is not UNSET:
            return tags.put(resource, {**_tags(tags, resource), name: value})
        get(resource)
        return tags.put(resource, {key: kept for key, kept in _tags(tags, resource).items() if key != name})

    return Member(TAG_VALUE, get, put)


def _tags(tags: Member[T], resource: T) -> dict[str, object]:
    value = tags.get(resource)
    return value if isinstance(value, dict) else {}
