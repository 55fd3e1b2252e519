"""What of a table's declaration shapes the stored table, and which changes of it a migration can make."""

from collections.abc import Iterator, Mapping

import msgspec
import pyarrow as pa

from tams_common.errors import StartRefused
from tams_common.store.column import Kind
from tams_common.store.layout import AnyLayout
from tams_common.store.vast.ledger import Registered
from tams_common.store.vast.stored import Stored


class DeclaredColumn(msgspec.Struct, frozen=True):
    """A column's type."""

    kind: Kind
    nullable: bool


class Declaration(msgspec.Struct, frozen=True):
    """The shape of a table, kept as JSON in the registry."""

    columns: dict[str, DeclaredColumn]
    key: tuple[str, ...]
    order: tuple[str, ...]
    windowed: bool
    projections: dict[str, tuple[str, ...]]


def declared(layout: AnyLayout) -> Declaration:
    """The declaration of `layout`."""
    return Declaration(
        columns={column.name: DeclaredColumn(column.kind, column.nullable) for column in layout.columns},
        key=layout.table.key,
        order=layout.total_order(()),
        windowed=layout.windowed,
        projections={projection.name: projection.columns for projection in layout.table.projections},
    )


def registered(layout: AnyLayout) -> Registered:
    """The row that tells of `layout` in the registry."""
    table = layout.table
    return Registered(table.name, table.version, msgspec.json.encode(declared(layout)).decode())


def refuse_newer(layout: AnyLayout, stored: Registered) -> None:
    """Raises StartRefused when the stored table is newer than the declaration."""
    table = layout.table
    if stored.version > table.version:
        raise StartRefused(
            "the tables were written by a newer version: "
            f"table {table.name} is version {stored.version}, this software knows {table.version}"
        )


def refuse_change(layout: AnyLayout, stored: Registered) -> Declaration:
    """The stored declaration; StartRefused when the way to the declared one is not additive, or has no new version."""
    old, new = msgspec.json.decode(stored.declaration, type=Declaration), declared(layout)
    name = layout.table.name
    if stored.version == layout.table.version and old != new:
        raise StartRefused(f"table {name} is stored as version {stored.version} with another declaration")
    for gone in old.columns.keys() - new.columns.keys():
        raise StartRefused(f"table {name}: column {gone} is stored but not declared any more")
    for kept in old.columns:
        if old.columns[kept] != new.columns[kept]:
            raise StartRefused(f"table {name}: column {kept} is stored with another type")
    if (old.key, old.order, old.windowed) != (new.key, new.order, new.windowed):
        raise StartRefused(f"table {name} is stored with another key, order or paging")
    for column in layout.columns:
        if column.name not in old.columns and column.default is msgspec.UNSET:
            raise StartRefused(f"table {name}: the new column {column.name} has no default for stored rows")
    return old


def drift(table: Stored, stored: Registered, *, columns: Mapping[str, pa.DataType]) -> tuple[str, ...]:
    """How the stored table, whose `columns` the server has listed, differs from the declared one."""
    old, new = msgspec.json.decode(stored.declaration, type=Declaration), declared(table.layout)
    wanted = {field.name: field.type for field in table.schema}
    phrases = [
        *_differences("column", columns, declared=wanted),
        *_differences("projection", old.projections, declared=new.projections),
    ]
    if (old.key, old.order, old.windowed) != (new.key, new.order, new.windowed):
        phrases.append("other key, order or paging")
    return tuple(phrases)


def _differences(what: str, stored: Mapping[str, object], *, declared: Mapping[str, object]) -> Iterator[str]:
    for name in declared:
        if name not in stored:
            yield f"{what} {name} missing"
        elif stored[name] != declared[name]:
            yield f"{what} {name} changed"
    for name in stored:
        if name not in declared:
            yield f"{what} {name} not declared"
