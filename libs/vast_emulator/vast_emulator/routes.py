"""Every request the emulator answers, by method and command."""

from collections.abc import Mapping

from vast_emulator.handlers import columns, projections, queries, rows, schemas, tables, transactions
from vast_emulator.handlers.face import Handler
from vast_emulator.message import Call
from vast_emulator.refusals import refusal

ROUTES: Mapping[str, Handler] = {
    "POST transaction": transactions.begin,
    "PUT transaction": transactions.commit,
    "DELETE transaction": transactions.rollback,
    "GET transaction": transactions.look,
    "HEAD": transactions.find_bucket,
    "GET list_type": transactions.list_snapshots,
    "GET schema": schemas.list_schemas,
    "POST schema": schemas.create,
    "PUT schema": schemas.alter,
    "DELETE schema": schemas.drop,
    "GET table": tables.list_tables,
    "POST table": tables.create,
    "PUT table": tables.alter,
    "DELETE table": tables.drop,
    "GET stats": tables.statistics,
    "GET column": columns.list_columns,
    "GET sorted-columns": columns.list_sorted,
    "POST column": columns.add,
    "PUT column": columns.alter,
    "DELETE column": columns.drop,
    "POST rows": rows.insert,
    "PUT rows": rows.update,
    "DELETE rows": rows.delete,
    "GET data": queries.read,
    "GET projection": projections.list_projections,
    "POST projection": projections.create,
    "PUT projection": projections.alter,
    "DELETE projection": projections.drop,
    "GET projection-columns": projections.list_columns,
    "GET projection-stats": projections.statistics,
}


def route(call: Call) -> Handler:
    """The handler of a call. Raises a refusal (501, 405) for what is not emulated."""
    handler = ROUTES.get(call.kind)
    if handler is None:
        # What names no command is S3 itself; clients of that try a 501 again, a 405 not.
        status, code = (501, "NotImplemented") if call.command else (405, "MethodNotAllowed")
        raise refusal(status, code, message=f"{call.kind} is not emulated")
    return handler
