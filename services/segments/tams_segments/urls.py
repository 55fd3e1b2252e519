"""Which URLs of an object a request gets, and how they are written (SEG-11 to SEG-19, URL-1 to URL-12)."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from tams_common.http.query import Params
from tams_common.http.tags import tag_query
from tams_common.objects import Backend, Objects
from tams_common.tags import TagQuery
from tams_segments.requests import UrlPost

_encode: Final = msgspec.json.Encoder().encode
_read_instances: Final = msgspec.json.Decoder(tuple[UrlPost, ...]).decode


class UrlQuery(msgspec.Struct, frozen=True):
    """The filters of a request on URLs: all of them have to hold; None does not filter."""

    labels: frozenset[str] | None = None
    storage_ids: frozenset[str] | None = None
    presigned: bool | None = None
    tags: TagQuery = TagQuery()
    verbose: bool = False

    @classmethod
    def parse(cls, params: Params) -> "UrlQuery":
        """Reads `accept_get_urls`, `accept_storage_ids`, `presigned`, `storage_backend_tag*` and `verbose_storage`."""
        labels = params.labels("accept_get_urls")
        return cls(
            labels=None if labels is None else frozenset(labels),
            # An empty list of ids does not filter, an empty list of labels takes nothing (SEG-12, SEG-14).
            storage_ids=frozenset(params.uuid_list("accept_storage_ids") or ()) or None,
            presigned=params.boolean("presigned", None),
            tags=tag_query(params, "storage_backend_tag"),
            verbose=params.boolean("verbose_storage", False),
        )

    @property
    def wants_none(self) -> bool:
        """Whether no URL can meet the query, so that no object need be looked up (URL-12)."""
        return self.labels is not None and not self.labels

    def takes_controlled(self, backend: Backend) -> bool:
        """Whether presigned URLs of this backend meet the query."""
        if self.presigned is False or (self.labels is not None and backend.label not in self.labels):
            return False
        return (self.storage_ids is None or backend.id in self.storage_ids) and self.tags.matches(backend.tags)

    def takes_uncontrolled(self, instance: UrlPost) -> bool:
        """Whether a URL outside of every backend meets the query: it is not presigned and has no tags (T-29, T-30)."""
        if self.presigned or self.storage_ids is not None:
            return False
        return (self.labels is None or instance.label in self.labels) and self.tags.matches({})


class VerboseStorage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What `verbose_storage` adds to a controlled URL (SEG-17)."""

    storage_id: str
    store_type: str
    provider: str
    store_product: str
    region: str | None = None
    availability_zone: str | None = None
    tags: dict[str, str | list[str]] = {}


class Stored(Protocol):
    """Where the bytes of an object are: all that its URLs depend on, as `MediaObject` has it."""

    @property
    def storage_id(self) -> str | None: ...
    @property
    def storage_key(self) -> str | None: ...
    @property
    def instances(self) -> bytes: ...


class UrlWriter:
    """Writes the `get_urls` of objects for one request; what is the same for all of them is worked out once.

    `base_url` is the address under which the client reaches the store.
    """

    def __init__(self, query: UrlQuery, backends: Sequence[Objects], *, base_url: str) -> None:
        self._query = query
        self._controlled: dict[str, tuple[Callable[[str], str], bytes]] = {
            objects.backend.id: (objects.signer(base_url).get_url, _ending(objects.backend, query.verbose))
            for objects in backends
            if query.takes_controlled(objects.backend)
        }

    def urls(self, media: Stored | None) -> bytes:
        """The JSON array of an object's URLs that meet the query."""
        if media is None:
            return b"[]"
        key, controlled = media.storage_key, self._controlled.get(media.storage_id or "")
        own = (
            b"" if key is None or controlled is None else b'{"url":%b%b' % (_encode(controlled[0](key)), controlled[1])
        )
        if not media.instances:
            return b"[%b]" % own
        parts = [own] if own else []
        elsewhere = _read_instances(media.instances)
        parts += [self._uncontrolled(known) for known in elsewhere if self._query.takes_uncontrolled(known)]
        return b"[%b]" % b",".join(parts)

    def _uncontrolled(self, known: UrlPost) -> bytes:
        ending = b',"controlled":false}' if self._query.verbose else b"}"
        return _encode(known)[:-1] + ending


def _ending(backend: Backend, verbose: bool) -> bytes:
    """What follows the URL itself: the same for every object of a backend."""
    label = b"" if backend.label is None else b',"label":%b' % _encode(backend.label)
    if not verbose:
        return b',"presigned":true%b}' % label
    more = VerboseStorage(
        storage_id=backend.id,
        store_type=backend.store_type,
        provider=backend.provider,
        store_product=backend.store_product,
        region=backend.region,
        availability_zone=backend.availability_zone,
        tags=backend.tags,
    )
    return b',"presigned":true%b,"controlled":true,%b' % (label, _encode(more)[1:])
