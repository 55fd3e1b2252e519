"""The tables of one store: where they lie, how they are declared, and how they look to VAST DB."""

from collections.abc import Mapping
from typing import Any, Final

from tams_common.store.layout import Layout, Layouts
from tams_common.store.vast.ledger import CLAIMS, COMMITS, REGISTRY
from tams_common.store.vast.link import Link
from tams_common.store.vast.place import Place
from tams_common.store.vast.session import Session
from tams_common.store.vast.stored import Stored

OWN: Final = (CLAIMS, COMMITS, REGISTRY)


class Database:
    """The schema `<schema>/<name>`: two services may declare tables of the same name. It holds no connection."""

    def __init__(self, place: Place, name: str, *, layouts: Layouts) -> None:
        self.place = place
        self.name = name
        self.layouts = layouts
        self.schema = f"{place.schema}/{name}"
        self.declared = self._stored(layouts)
        self.own = self._stored(Layouts(OWN))
        self._tables: Mapping[str, Stored] = {**self.declared, **self.own}

    def session(self) -> Session:
        """A connection of its own, for one thread at a time; it connects when it is first asked something."""
        return Session(Link(self.place, self.name), self.layouts, tables=self._tables)

    def _stored(self, layouts: Layouts) -> dict[str, Stored]:
        def stored(layout: Layout[Any]) -> Stored:
            return Stored(layout, bucket=self.place.bucket, schema=self.schema)

        return {name: stored(layout) for name, layout in layouts.named().items()}
