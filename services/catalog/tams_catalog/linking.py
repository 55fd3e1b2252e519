"""The link of a flow to the profile that its technical metadata comes from (PRF-14 to PRF-24, T-14 to T-16)."""

from msgspec import UNSET
from msgspec.structs import replace

from tams_catalog.profiles import stored_profile
from tams_common.errors import InvalidInput
from tams_common.model.flow import Flow, ProfileFlow
from tams_common.model.technical import Technical
from tams_common.store import Reader


def linked_flow(reader: Reader, body: Flow | ProfileFlow, *, before: Flow | None) -> Flow:
    """What a PUT of `body` in place of `before` asks for, with the technical metadata of the profile it names.

    A body without a profile leaves a link as it is, and must then say what the profile says (T-15); an empty one takes
    the link away. Raises `InvalidInput` otherwise, and for a profile that does not exist.
    """
    if isinstance(body, ProfileFlow):
        return Flow(body.common(), stored_profile(reader, body.profile_id).flow_metadata, body.profile_id)
    if body.profile_id == "" or before is None or not before.profile_id:
        return replace(body, profile_id=UNSET)
    changed = _difference(before.technical, body.technical)
    if changed is not None:
        raise inherited(changed, before.profile_id)
    return replace(body, profile_id=before.profile_id)


def inherited(member: str, profile_id: str) -> InvalidInput:
    """The error for a change of what a flow has from its profile (PRF-18, PRF-19)."""
    detail = (
        f"`{member}` comes from profile {profile_id}; to change it, PUT the flow with an empty `profile_id` (PRF-18)"
    )
    return InvalidInput(detail, field=f"$.{member}")


def _difference(before: Technical, after: Technical) -> str | None:
    """The first member in which technical metadata differs."""
    if type(before) is not type(after):
        return "format"
    names = before.__struct_fields__
    return next((name for name in names if getattr(before, name) != getattr(after, name)), None)
