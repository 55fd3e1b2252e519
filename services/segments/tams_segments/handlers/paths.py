"""Ids in paths."""

from tams_common.errors import NotFound
from tams_common.http.message import Request
from tams_common.ids import FlowId, is_uuid


def flow_id_of(request: Request) -> FlowId:
    """The flow that the path names; raises `NotFound` for what is no id (GEN-4, SEG-3)."""
    text = request.params["flow_id"]
    if not is_uuid(text):
        raise NotFound(f"{text!r} is not the id of a flow")
    return FlowId(text)
