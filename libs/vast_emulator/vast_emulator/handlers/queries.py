"""`?data`: reading rows."""

import re
from collections.abc import Iterator

from vast_emulator.engine.errors import invalid
from vast_emulator.engine.port import FINISHED, Page, Split, Table
from vast_emulator.handlers.face import Face
from vast_emulator.handlers.tables import refuse_imports
from vast_emulator.message import Answer, Call
from vast_emulator.query.plan import Plan, Reading
from vast_emulator.wire import framing, relation

# Asking for this split of a sorted table asks how many row groups it has.
_ESTIMATE = 0xFFFFFFFC

_START = re.compile(r"tabular-start-row-id-\d+")


def read(face: Face, call: Call) -> Answer:
    """`GET ?data`: a window of each asked sub-split, as a stream of frames."""
    refuse_imports(call)
    if call.number("tabular-schedule-id", 0) < 0:
        raise invalid("tabular-schedule-id is negative")
    asked, split = relation.decode(call.body), _split(call)
    with face.engine.using(call.txid) as statements:
        table = statements.table(call.table)
        if split.id == _ESTIMATE:
            return _estimate(table)
        reading = Reading(
            split=split,
            limit=max(0, call.number("tabular-limit-rows", 0)),
            projection=call.parameters.get("name") or None,
            use_projections=call.flag("tabular-enable-sorted-projections"),
        )
        plan = Plan.make(asked, table, reading=reading)
        pages = statements.select(call.table, plan.selection)
    return Answer(chunks=_stream(face, plan, pages=pages))


def _stream(face: Face, plan: Plan, *, pages: Iterator[Page]) -> Iterator[bytes]:
    for page in pages:
        face.counters.rows("read", page.rows.num_rows)
        yield from plan.frames(page)
    yield framing.COMPLETED


def _estimate(table: Table) -> Answer:
    columns = [framing.only_count(table.row_groups)]
    return Answer(body=b"".join((*framing.window(0, FINISHED, columns=columns), framing.COMPLETED)))


def _split(call: Call) -> Split:
    parts = call.headers.get("tabular-split", "0,1,8").split(",")
    try:
        number, total, row_groups = map(int, parts)
        starts = tuple(
            (int(sub_split), int(row))
            for name, value in call.headers.items()
            if _START.fullmatch(name)
            for sub_split, _, row in [value.partition(",")]
        )
    except ValueError:
        raise invalid("tabular-split or tabular-start-row-id is malformed") from None
    sub_splits = call.number("tabular-num-of-subsplits", 1)
    return Split(number, total, row_groups=row_groups, sub_splits=sub_splits, starts=starts or ((0, 0),))
