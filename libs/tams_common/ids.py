"""A type per id, and the rules that ids in paths and bodies obey (GEN-4)."""

import re
import uuid
from collections.abc import Callable
from typing import Final, NewType

FlowId = NewType("FlowId", str)
SourceId = NewType("SourceId", str)
ProfileId = NewType("ProfileId", str)
ObjectId = NewType("ObjectId", str)
StorageId = NewType("StorageId", str)
EventId = NewType("EventId", str)
Incarnation = NewType("Incarnation", str)

UUID_PATTERN: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_is_uuid = re.compile(UUID_PATTERN).fullmatch

IdSource = Callable[[], str]


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID as the API writes them: lower case, version 1 to 5 (GEN-4)."""
    return _is_uuid(text) is not None


def new_id() -> str:
    """A fresh, unguessable UUID (version 4)."""
    return str(uuid.uuid4())
