"""What of a table's declaration shapes the stored table: each adapter keeps it, as JSON, beside its tables."""

import msgspec

from tams_common.store.column import Kind
from tams_common.store.layout import AnyLayout


class DeclaredColumn(msgspec.Struct, frozen=True):
    """A column's type."""

    kind: Kind
    nullable: bool


class Declaration(msgspec.Struct, frozen=True):
    """The shape of a table."""

    columns: dict[str, DeclaredColumn]
    key: tuple[str, ...]
    order: tuple[str, ...]
    windowed: bool
    tokens: tuple[str, ...]
    projections: dict[str, tuple[str, ...]]

    @property
    def lie(self) -> tuple[tuple[str, ...], tuple[str, ...], bool, tuple[str, ...]]:
        """How rows are found and lie: no migration changes that."""
        return self.key, self.order, self.windowed, self.tokens


class Known(msgspec.Struct, frozen=True):
    """A stored table, as the adapter has noted it when it was last migrated."""

    version: int
    declaration: Declaration


def declared(layout: AnyLayout) -> Declaration:
    """The declaration of `layout`."""
    return Declaration(
        columns={column.name: DeclaredColumn(column.kind, column.nullable) for column in layout.columns},
        key=layout.table.key,
        order=layout.total_order(()),
        windowed=layout.windowed,
        tokens=layout.tokens,
        projections={projection.name: projection.columns for projection in layout.table.projections},
    )


def encoded(layout: AnyLayout) -> str:
    """The declaration of `layout` as it is kept."""
    return msgspec.json.encode(declared(layout)).decode()


def known(version: int, text: str) -> Known:
    """What was kept: the `text` of `encoded`, and the version beside it."""
    return Known(version, msgspec.json.decode(text, type=Declaration))
