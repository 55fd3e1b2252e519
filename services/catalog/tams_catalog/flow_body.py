"""The body of `PUT /flows/{id}`: which kind it is, and its parts (FLW-14, PRF-14 to PRF-16)."""

from tams_common.http.codec import decode_json
from tams_common.model.flow import Flow, FlowCommon, FlowLink, ProfileFlow
from tams_common.model.technical import Technical


def parse_flow(data: bytes) -> Flow | ProfileFlow:
    """Reads a flow; raises `InvalidInput` that names the member at fault."""
    profile_id = decode_json(data, FlowLink).profile_id
    if profile_id:
        return decode_json(data, ProfileFlow)
    technical: Technical = decode_json(data, Technical)
    return Flow(decode_json(data, FlowCommon), technical, profile_id)
