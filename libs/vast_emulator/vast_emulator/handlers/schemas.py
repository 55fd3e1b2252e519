"""Schemas: folders of tables, which nest."""

from vast_emulator.handlers.face import Face
from vast_emulator.message import OK, Answer, Call
from vast_emulator.paging import page
from vast_emulator.wire import listings


def list_schemas(face: Face, call: Call) -> Answer:
    """`GET /bucket[/path]?schema`: the names right below."""
    with face.engine.using(call.txid) as statements:
        names = statements.list_schemas(call.bucket, call.schema)
    found, headers = page(call, names, name=str)
    return Answer(body=listings.schemas(call.bucket, found), headers=headers)


def create(face: Face, call: Call) -> Answer:
    """`POST ?schema`; properties are accepted and not kept."""
    with face.engine.using(call.txid) as statements:
        statements.create_schema(call.bucket, call.schema)
    return OK


def alter(face: Face, call: Call) -> Answer:
    """`PUT ?schema`: a new name, if one is given."""
    new_path = call.parameters.get("tabular-new-schema-name")
    if new_path:
        with face.engine.using(call.txid) as statements:
            statements.rename_schema(call.bucket, call.schema, new_path=new_path)
    return OK


def drop(face: Face, call: Call) -> Answer:
    """`DELETE ?schema`."""
    with face.engine.using(call.txid) as statements:
        statements.drop_schema(call.bucket, call.schema)
    return OK
