"""The failures of the house, without HTTP: one table in `http.problems` maps each to a status and a body."""


class TamsError(Exception):
    """A failure that a caller can be told about.

    `detail` says where and what was expected, in words for a broadcast engineer; `field` names the input at fault
    (a JSON path such as `$.segments[3].timerange`, a query parameter, a header) where there is one.
    """

    summary = "The request failed"

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field


class InvalidInput(TamsError):
    """The request breaks a rule of the API (ERR-4: conflicts with existing resources are of this kind, too)."""

    summary = "The request is not valid"


class Unauthenticated(TamsError):
    """No credentials, or none that are known (ERR-5)."""

    summary = "Credentials are missing or not valid"


class Forbidden(TamsError):
    """The principal lacks a permission, or the flow is read-only (ERR-6)."""

    summary = "Not permitted"


class NotFound(TamsError):
    """The resource, or an id in the path, does not exist."""

    summary = "Not found"


class MethodNotAllowed(TamsError):
    """The path exists without this method (GEN-3); `allowed` is what it has."""

    summary = "Method not allowed"

    def __init__(self, detail: str, *, allowed: tuple[str, ...]) -> None:
        super().__init__(detail)
        self.allowed = allowed


class PreconditionFailed(TamsError):
    """A condition of the request (`If-Match`, a checksum header) does not hold."""

    summary = "A precondition does not hold"


class TooLarge(TamsError):
    """A body exceeds the limit of its route; the detail names the limit in bytes."""

    summary = "The body is too large"


class RangeNotSatisfiable(TamsError):
    """A byte range lies outside the object; `size` is the object's length in bytes."""

    summary = "The range lies outside the object"

    def __init__(self, detail: str, *, size: int) -> None:
        super().__init__(detail)
        self.size = size


class Unavailable(TamsError):
    """A dependency (tables, bus, media) does not answer; worth a retry after `retry_after` seconds."""

    summary = "A part of the service is unavailable"

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class BadGateway(TamsError):
    """A service answered something that is not HTTP, or dropped the connection."""

    summary = "A service gave no valid answer"


class GatewayTimeout(TamsError):
    """A service did not answer in time."""

    summary = "A service did not answer in time"


class Conflict(TamsError):
    """A transaction lost to another one, or inserts a key that exists; `Store.run` reruns it a few times."""

    summary = "The change collides with another one"


class OutcomeUnknown(Unavailable):
    """The answer of a commit was lost and cannot be found out: it may have happened or not."""

    summary = "It is unknown whether the change was made"


class StartRefused(TamsError):
    """The process must not start: bad configuration, a newer schema, a data directory in use."""

    summary = "The service does not start"
