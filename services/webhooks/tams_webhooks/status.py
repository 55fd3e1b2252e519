"""What clients make of a webhook's status (WHK-10, WHK-13 to WHK-15)."""

from tams_common.errors import InvalidInput
from tams_webhooks.tables import Status
from tams_webhooks.webhook import Asked


def edited(status: Status, asked: Asked) -> Status:
    """The status after a PUT that asks for `asked`; raises `InvalidInput` for `error` → `disabled`.

    `created` takes a webhook out of `disabled` and `error`, and is an ordinary edit of one that is sending.
    """
    if status == "error" and asked == "disabled":
        raise InvalidInput("status: a webhook in status error can be set to created, not to disabled", field="$.status")
    return "started" if status == "started" and asked == "created" else asked
