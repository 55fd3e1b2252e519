"""Semi-sorted projections: further copies of some columns in another order."""

from vastdb.vast_flatbuf.tabular import AlterProjectionTableRequest, ColumnType, CreateProjectionRequest

from vast_emulator.engine.errors import invalid, missing
from vast_emulator.engine.port import Projection, ProjectionColumn, Table
from vast_emulator.handlers import columns
from vast_emulator.handlers.face import Face
from vast_emulator.message import OK, Answer, Call
from vast_emulator.paging import page
from vast_emulator.wire import listings


def list_projections(face: Face, call: Call) -> Answer:
    """`GET ?projection`."""
    with face.engine.using(call.txid) as statements:
        table = statements.table(call.table)
    found, headers = page(call, table.projections, name=_name)
    entries = [listings.Entry(projection.name, 1, rows=projection.rows, size=projection.bytes) for projection in found]
    return Answer(body=listings.projections(call.table, entries), headers=headers)


def create(face: Face, call: Call) -> Answer:
    """`POST ?projection&name=`."""
    asked = CreateProjectionRequest.CreateProjectionRequest.GetRootAs(call.body, 0)
    found = [asked.Columns(i) for i in range(asked.ColumnsLength())]
    wanted = [ProjectionColumn(c.Name().decode(), c.Type() == ColumnType.ColumnType.Sorted) for c in found]
    with face.engine.using(call.txid) as statements:
        statements.create_projection(call.table, call.parameter("name"), columns=wanted)
    return OK


def alter(face: Face, call: Call) -> Answer:
    """`PUT ?projection&name=`: a new name."""
    asked = AlterProjectionTableRequest.AlterProjectionTableRequest.GetRootAs(call.body, 0)
    new_name = asked.NewName()
    if not new_name:
        raise invalid("the request names no new name")
    with face.engine.using(call.txid) as statements:
        statements.rename_projection(call.table, call.parameter("name"), new_name=new_name.decode())
    return OK


def drop(face: Face, call: Call) -> Answer:
    """`DELETE ?projection&name=`."""
    with face.engine.using(call.txid) as statements:
        statements.drop_projection(call.table, call.parameter("name"))
    return OK


def list_columns(face: Face, call: Call) -> Answer:
    """`GET ?projection-columns&name=`."""
    with face.engine.using(call.txid) as statements:
        table = statements.table(call.table)
    projection = _find(table, call.parameter("name"))
    return columns.answer(call, [table.schema.field(column.name) for column in projection.columns])


def statistics(face: Face, call: Call) -> Answer:
    """`GET ?projection-stats&name=`."""
    with face.engine.using(call.txid) as statements:
        projection = _find(statements.table(call.table), call.parameter("name"))
    return Answer(body=listings.projection_statistics(projection.rows, projection.bytes))


def _find(table: Table, name: str) -> Projection:
    for projection in table.projections:
        if projection.name == name:
            return projection
    raise missing("Projection", name)


def _name(projection: Projection) -> str:
    return projection.name
