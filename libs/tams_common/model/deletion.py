"""Deletion requests as the API shows them (s/deletion-request)."""

from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

DeletionStatus: TypeAlias = Literal["created", "started", "done", "error"]


class DeletionError(Struct, frozen=True):
    """Why a deletion ended without being done (s/error)."""

    type: str
    summary: str
    time: str


class DeletionRequest(Struct, frozen=True, kw_only=True):
    """A deletion that outlasted its DELETE (DEL-2): timeranges as text, moments as RFC 3339."""

    id: str
    flow_id: str
    timerange_to_delete: str
    timerange_remaining: str
    delete_flow: bool
    status: DeletionStatus
    created: str
    updated: str
    created_by: str | UnsetType = UNSET
    expiry: str | UnsetType = UNSET
    error: DeletionError | UnsetType = UNSET
