"""How an envelope travels as a message: CloudEvents 1.0, binary mode, attributes in headers `ce_…`."""

import re
from collections.abc import Mapping
from typing import Final

from tams_common.bus.port import Message, Record
from tams_common.errors import InvalidInput
from tams_common.events import Envelope, timestamp
from tams_common.ids import EventId, FlowId, Incarnation, SourceId

FLOOR: Final = "ce_floor"
"""The header that says: no event of this record's topic that was staged before this moment (ns) comes again, unless
from a relay that stood still for longer than ids are remembered."""
_CONTENT_TYPE: Final = "application/json"
_LONGEST_ID: Final = 256
"""Characters: ours have 36."""
_LATEST: Final = 2**63 - 1
"""Nanoseconds since 1970: what a table can keep."""
_is_number = re.compile(r"[0-9]{1,19}").fullmatch


def to_message(envelope: Envelope, *, floor: int = 0) -> Message:
    """The message that carries `envelope`: its id is CloudEvents' `id`; absent attributes have no header.

    `floor` is the moment (ns) of the oldest event that waits in the same outbox, 0 to tell nothing.
    """
    headers = {
        "ce_specversion": "1.0",
        "ce_type": envelope.type,
        "ce_source": f"/{envelope.topic.replace('.', '/')}",
        "ce_time": timestamp(envelope.at),
        "ce_subject": envelope.key,
        "ce_at": str(envelope.at),
        "content-type": _CONTENT_TYPE,
    }
    extensions = {
        "ce_flowid": envelope.flow_id,
        "ce_sourceid": envelope.source_id,
        "ce_flowcollectedby": ",".join(envelope.flow_collected_by),
        "ce_sourcecollectedby": ",".join(envelope.source_collected_by),
        "ce_incarnation": envelope.incarnation,
        "ce_extent": envelope.extent,
        FLOOR: str(floor) if floor else None,
    }
    headers.update((name, value) for name, value in extensions.items() if value)
    return Message(topic=envelope.topic, key=envelope.key, id=envelope.id, value=envelope.value, headers=headers)


def from_record(record: Record) -> Envelope:
    """The envelope in `record`, its value not looked at; raises `InvalidInput` when its headers are no envelope's."""
    headers = record.headers
    if not 0 < len(record.id) <= _LONGEST_ID:
        raise InvalidInput(f"the record has no id of 1 to {_LONGEST_ID} characters", field="ce_id")
    at = _moment(_required(headers, "ce_at"))
    if at is None:
        raise InvalidInput(f"header ce_at is {headers['ce_at'][:40]!r}, expected nanoseconds since 1970", field="ce_at")
    return Envelope(
        id=EventId(record.id),
        topic=record.partition.topic,
        key=record.key,
        at=at,
        type=_required(headers, "ce_type"),
        value=record.value,
        flow_id=FlowId(headers["ce_flowid"]) if "ce_flowid" in headers else None,
        source_id=SourceId(headers["ce_sourceid"]) if "ce_sourceid" in headers else None,
        flow_collected_by=tuple(FlowId(flow) for flow in _listed(headers, "ce_flowcollectedby")),
        source_collected_by=tuple(SourceId(source) for source in _listed(headers, "ce_sourcecollectedby")),
        incarnation=Incarnation(headers["ce_incarnation"]) if "ce_incarnation" in headers else None,
        extent=headers.get("ce_extent"),
    )


def floor_of(record: Record) -> int | None:
    """The moment (ns) before which nothing comes again; None where the record does not tell."""
    return _moment(record.headers.get(FLOOR, ""))


def _moment(text: str) -> int | None:
    """The moment (ns) that `text` is; None for anything else."""
    moment = int(text) if _is_number(text) else -1
    return moment if 0 <= moment <= _LATEST else None


def _required(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise InvalidInput(f"header {name} is missing", field=name)
    return value


def _listed(headers: Mapping[str, str], name: str) -> list[str]:
    value = headers.get(name)
    return value.split(",") if value else []
