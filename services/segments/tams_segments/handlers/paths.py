"""Ids in paths."""

from tams_common.http.message import Request
from tams_common.http.routing import path_uuid
from tams_common.ids import FlowId


def flow_id_of(request: Request) -> FlowId:
    """The flow that the path names; raises `NotFound` for what is no id."""
    return FlowId(path_uuid(request, "flow_id"))
