"""Creating and replacing flows as a whole (FLW-13 to FLW-21, FLW-41)."""

from collections.abc import Callable

from msgspec import UNSET
from msgspec.structs import replace

from tams_catalog.changes import Changes
from tams_catalog.documents import FlowState
from tams_catalog.linking import linked_flow
from tams_catalog.relations import alter, appear
from tams_common.errors import Forbidden, InvalidInput, NotFound
from tams_common.ids import FlowId, Incarnation
from tams_common.model.flow import Flow, ProfileFlow


def put_flow(changes: Changes, body: Flow | ProfileFlow, *, subject: str) -> FlowState | None:
    """Creates the flow in `body` and returns it, or replaces the one with its id and returns None. `subject` is who
    asks.

    Raises `Forbidden` for a read-only flow (FLW-41) and `InvalidInput` for one that is being deleted.
    """
    flow_id = body.id if isinstance(body, ProfileFlow) else body.common.id
    row = changes.stored(flow_id)
    if row is not None and row.deleting:
        raise InvalidInput(f"flow {flow_id} is still being deleted; create it again when that is done", field="$.id")
    before = changes.flow(flow_id)
    if before is None:
        created = _created(changes, linked_flow(changes.tx, body, before=None), subject=subject)
        appear(changes, created)
        return created
    check_writable(before)
    _replace(changes, before, flow=linked_flow(changes.tx, body, before=before.flow), subject=subject)
    return None


def edit_flow(
    changes: Changes, flow_id: FlowId, *, change: Callable[[Flow], Flow], subject: str, even_read_only: bool
) -> None:
    """Replaces a flow by what `change` makes of it (SUB-10); raises `NotFound`, and `Forbidden` if it is read-only."""
    before = living_flow(changes, flow_id)
    if not even_read_only:
        check_writable(before)
    _replace(changes, before, flow=change(before.flow), subject=subject)


def living_flow(changes: Changes, flow_id: FlowId) -> FlowState:
    """The flow; raises `NotFound`."""
    state = changes.flow(flow_id)
    if state is None:
        raise NotFound(f"there is no flow {flow_id}")
    return state


def check_writable(flow: FlowState) -> None:
    """Raises `Forbidden` for a read-only flow (FLW-40)."""
    if flow.flow.common.read_only is True:
        raise Forbidden(f"flow {flow.id} is read-only; PUT false to its read_only property first")


def _created(changes: Changes, flow: Flow, *, subject: str) -> FlowState:
    version = flow.common.metadata_version
    common = replace(
        flow.common,
        created_by=subject or UNSET,
        updated_by=subject or UNSET,
        metadata_version=changes.new_id() if version is UNSET else version,
    )
    return FlowState(
        flow=replace(flow, common=common),
        created=changes.now,
        metadata_updated=changes.now,
        incarnation=Incarnation(changes.new_id()),
    )


def _replace(changes: Changes, before: FlowState, *, flow: Flow, subject: str) -> None:
    """Puts `flow` in place of `before` if it says anything new. The store keeps who made the flow, and names a new
    metadata version unless the client brings one (FLW-20, T-79)."""
    old, asked = before.flow.common, flow.common.metadata_version
    common = replace(
        flow.common,
        created_by=old.created_by,
        updated_by=old.updated_by,
        metadata_version=old.metadata_version if asked is UNSET else asked,
    )
    flow = replace(flow, common=common)
    if flow == before.flow:
        return
    if common.metadata_version == old.metadata_version:
        common = replace(common, metadata_version=changes.new_id())
    common = replace(common, updated_by=subject or UNSET)
    after = replace(before, flow=replace(flow, common=common), metadata_updated=changes.now)
    alter(changes, before=before, after=after)
