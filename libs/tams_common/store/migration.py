"""How stored tables get to their declarations, on every adapter: what can be done, what is refused, what differs."""

from collections.abc import Collection, Iterator, Mapping

import msgspec

from tams_common.errors import StartRefused
from tams_common.store.column import Column
from tams_common.store.declaration import Known, declared
from tams_common.store.layout import AnyLayout, Layouts
from tams_common.store.table import Projection


class Steps(msgspec.Struct, frozen=True):
    """What leads from a stored table to the declared one, in this order. `create` makes table and columns together."""

    create: bool
    columns: tuple[Column, ...]
    dropped: tuple[str, ...]
    created: tuple[Projection, ...]


def refuse_newer(layouts: Layouts, stored: Mapping[str, Known]) -> None:
    """Raises StartRefused when a stored table is newer than its declaration."""
    for name, layout in layouts.named().items():
        if name in stored:
            _refuse_newer(layout, stored[name])


def unmigrated(layouts: Layouts, stored: Mapping[str, Known]) -> list[str]:
    """The tables that are absent or of an older version."""
    return [
        name
        for name, layout in layouts.named().items()
        if name not in stored or stored[name].version != layout.table.version
    ]


def steps(layout: AnyLayout, stored: Known | None, *, there: Collection[str]) -> Steps:
    """The way to the declaration; StartRefused when it is not additive, or the table is newer.

    `there` names the projections that exist: what is registered and not there has been disabled, and stays so.
    """
    after = declared(layout).projections
    if stored is None:
        return Steps(True, layout.columns, (), tuple(Projection(*each) for each in after.items()))
    _refuse_newer(layout, stored)
    _refuse_change(layout, stored)
    before = stored.declaration.projections
    return Steps(
        create=False,
        columns=tuple(column for column in layout.columns if column.name not in stored.declaration.columns),
        dropped=tuple(name for name, columns in before.items() if after.get(name) != columns and name in there),
        created=tuple(
            Projection(name, columns)
            for name, columns in after.items()
            if name not in before or (before[name] != columns and name in there)
        ),
    )


def check_projection(layout: AnyLayout, stored: Known | None, *, name: str) -> None:
    """Raises StartRefused for a projection that is declared, but not as it was last migrated."""
    if stored is None or stored.declaration.projections.get(name) != declared(layout).projections[name]:
        table = layout.table.name
        raise StartRefused(f"projection {name} of table {table} is not migrated: run `tams tables migrate`")


def drift(layout: AnyLayout, stored: Known, *, columns: Iterator[str] | None = None) -> tuple[str, ...]:
    """How the stored table differs from the declared one, a phrase for each difference.

    `columns` are those of the columns, by `differences`, from an adapter that knows better than what is registered.
    """
    old, new = stored.declaration, declared(layout)
    if columns is None:
        columns = differences("column", old.columns, declared=new.columns)
    phrases = [*columns, *differences("projection", old.projections, declared=new.projections)]
    if old.lie != new.lie:
        phrases.append("other key, order, paging or tokens")
    return tuple(phrases)


def differences(what: str, stored: Mapping[str, object], *, declared: Mapping[str, object]) -> Iterator[str]:
    """How `stored` differs from `declared`, a phrase for each difference."""
    for name in declared:
        if name not in stored:
            yield f"{what} {name} missing"
        elif stored[name] != declared[name]:
            yield f"{what} {name} changed"
    for name in stored:
        if name not in declared:
            yield f"{what} {name} not declared"


def _refuse_newer(layout: AnyLayout, stored: Known) -> None:
    table = layout.table
    if stored.version > table.version:
        raise StartRefused(
            "the tables were written by a newer version: "
            f"table {table.name} is version {stored.version}, this software knows {table.version}"
        )


def _refuse_change(layout: AnyLayout, stored: Known) -> None:
    old, new = stored.declaration, declared(layout)
    name = layout.table.name
    if stored.version == layout.table.version and old != new:
        raise StartRefused(f"table {name} is stored as version {stored.version} with another declaration")
    for gone in old.columns.keys() - new.columns.keys():
        raise StartRefused(f"table {name}: column {gone} is stored but not declared any more")
    for kept in old.columns:
        if old.columns[kept] != new.columns[kept]:
            raise StartRefused(f"table {name}: column {kept} is stored with another type")
    if old.lie != new.lie:
        raise StartRefused(f"table {name} is stored with another key, order, paging or tokens")
    for column in layout.columns:
        if column.name not in old.columns and column.default is msgspec.UNSET:
            raise StartRefused(f"table {name}: the new column {column.name} has no default for stored rows")
