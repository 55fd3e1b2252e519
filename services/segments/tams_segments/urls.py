"""Which URLs of an object a request gets, and how they are written (SEG-11 to SEG-19, URL-1 to URL-12)."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from tams_common.http.query import Params
from tams_common.http.tags import tag_query
from tams_common.objects import Backend, Objects
from tams_common.tags import TagQuery
from tams_segments.instances import Stored, Uncontrolled, further

_encode: Final = msgspec.json.Encoder().encode


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

    def takes_backend(self, backend: Backend) -> bool:
        """Whether URLs of this backend meet the query, `presigned` aside."""
        if self.labels is not None and backend.label not in self.labels:
            return False
        return (self.storage_ids is None or backend.id in self.storage_ids) and self.tags.matches(backend.tags)

    def takes_uncontrolled(self, instance: Uncontrolled) -> bool:
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


class _Way(NamedTuple):
    """One kind of URL of a backend: what makes it of a key, and what follows it in the JSON of every object there."""

    url_of: Callable[[str], str]
    ending: bytes


class UrlWriter:
    """Writes the `get_urls` of objects for one request; what is the same for all of them is worked out once.

    A backend is only asked to sign when an object of the answer lies there, so that one whose credentials have ended
    does not stop the others. `signed` counts signatures by backend.
    """

    def __init__(
        self, query: UrlQuery, backends: Mapping[str, Objects], *, base_url: str, signed: Counter[str]
    ) -> None:
        self._query = query
        self._backends = backends
        self._base_url = base_url
        self._signed = signed
        self._known: dict[str, tuple[_Way, ...]] = {}

    def urls(self, media: Stored | None) -> bytes:
        """The JSON array of an object's URLs that meet the query; instances that are being copied have none (T-62)."""
        if media is None:
            return b"[]"
        storage_id, key = media.storage_id, media.storage_key
        own = b"" if storage_id is None or key is None else self._controlled(storage_id, key)
        return b"[%b]" % (self._further(own, media) if media.instances else own)

    def _controlled(self, storage_id: str, key: str) -> bytes:
        ways = self._known.get(storage_id)
        if ways is None:
            ways = self._known[storage_id] = tuple(self._ways(storage_id))
        if len(ways) == 1:
            return b'{"url":%b%b' % (_encode(ways[0].url_of(key)), ways[0].ending)
        return b",".join([b'{"url":%b%b' % (_encode(url_of(key)), ending) for url_of, ending in ways])

    def _further(self, own: bytes, media: Stored) -> bytes:
        """The URL of the first instance, if there is one, and those of all others."""
        parts = [own]
        for instance in further(media):
            if isinstance(instance, Uncontrolled):
                if self._query.takes_uncontrolled(instance):
                    parts.append(self._uncontrolled(instance))
            elif instance.ready:
                parts.append(self._controlled(instance.storage_id, instance.storage_key))
        return b",".join([part for part in parts if part])

    def _ways(self, storage_id: str) -> Iterator[_Way]:
        """Presigned URLs first: they work for every client (URL-8). Both kinds share label and id (URL-4)."""
        objects = self._backends.get(storage_id)
        if objects is None or not self._query.takes_backend(objects.backend):
            return
        if objects.reading.presigned and self._query.presigned is not False:
            yield _Way(self._signing(objects), _ending(objects.backend, presigned=True, verbose=self._query.verbose))
        if objects.reading.plain and not self._query.presigned:
            yield _Way(objects.plain_url, _ending(objects.backend, presigned=False, verbose=self._query.verbose))

    def _signing(self, objects: Objects) -> Callable[[str], str]:
        sign, signed, name = objects.signer(self._base_url).get_url, self._signed, objects.backend.id

        def counted(key: str) -> str:
            signed[name] += 1
            return sign(key)

        return counted

    def _uncontrolled(self, known: Uncontrolled) -> bytes:
        ending = b',"controlled":false}' if self._query.verbose else b"}"
        return b'{"url":%b,"label":%b%b' % (_encode(known.url), _encode(known.label), ending)


class UrlWriters(Collector):
    """Makes the writer of each request, and tells how many URLs they have signed.

    `base_url` is the address under which the client reaches the store.
    """

    def __init__(self, backends: Sequence[Objects], registry: CollectorRegistry) -> None:
        self._backends: dict[str, Objects] = {objects.backend.id: objects for objects in backends}
        self._signed: Counter[str] = Counter()
        registry.register(self)

    def writer(self, query: UrlQuery, base_url: str) -> UrlWriter:
        """The writer of one request."""
        return UrlWriter(query, self._backends, base_url=base_url, signed=self._signed)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The metrics as the registry wants them."""
        signed = CounterMetricFamily("tams_urls_signed", "URLs signed for reading", labels=("storage_id",))
        for name in self._backends:
            signed.add_metric((name,), self._signed[name])
        yield signed


def _ending(backend: Backend, *, presigned: bool, verbose: bool) -> bytes:
    """What follows the URL itself: the same for every object of a backend."""
    start = b',"presigned":%b' % (b"true" if presigned else b"false")
    if backend.label is not None:
        start = b'%b,"label":%b' % (start, _encode(backend.label))
    if not verbose:
        return start + b"}"
    more = VerboseStorage(
        storage_id=backend.id,
        store_type=backend.store_type,
        provider=backend.provider,
        store_product=backend.store_product,
        region=backend.region,
        availability_zone=backend.availability_zone,
        tags=backend.tags,
    )
    return b'%b,"controlled":true,%b' % (start, _encode(more)[1:])
