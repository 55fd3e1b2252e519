"""The one table from errors to HTTP: status, headers and the body (RFC 9457, and what other TAMS stores answer)."""

from typing import Final

import msgspec
import structlog

from tams_common import errors
from tams_common.clock import Clock, date_time, system_clock
from tams_common.http.message import Request, Response

PROBLEM: Final = "application/problem+json"

_STATUS: Final[dict[type[BaseException], tuple[int, str]]] = {
    errors.InvalidInput: (400, "invalid-input"),
    errors.Unauthenticated: (401, "unauthenticated"),
    errors.Forbidden: (403, "forbidden"),
    errors.NotFound: (404, "not-found"),
    errors.MethodNotAllowed: (405, "method-not-allowed"),
    errors.PreconditionFailed: (412, "precondition-failed"),
    errors.TooLarge: (413, "too-large"),
    errors.RangeNotSatisfiable: (416, "range-not-satisfiable"),
    errors.BadGateway: (502, "bad-gateway"),
    errors.Unavailable: (503, "unavailable"),
    errors.Conflict: (503, "contention"),
    errors.OutcomeUnknown: (503, "outcome-unknown"),
    errors.GatewayTimeout: (504, "gateway-timeout"),
}
_UNEXPECTED: Final = (500, "internal")
_log = structlog.stdlib.get_logger()


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every error: RFC 9457, `message` as other stores have it, `summary` and `time` of TAMS (ERR-2)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    message: str
    summary: str
    time: str
    field: str | None = None


def problem_response(error: Exception, request: Request, *, clock: Clock = system_clock) -> Response:
    """Answers `request` with `error`. What is none of ours is logged with its traceback and tells nothing (ERR-9)."""
    status, word = next((found for kind in type(error).__mro__ if (found := _STATUS.get(kind))), _UNEXPECTED)
    if isinstance(error, errors.TamsError) and status != 500:
        summary, detail, field = error.summary, error.detail, error.field
    else:
        _log.error("unexpected error", method=request.method, path=request.path, exc_info=error)
        summary, detail, field = "Internal error", "the service failed to answer; its log has the cause", None
    problem = Problem(
        type=f"urn:tams:problem:{word}",
        title=summary,
        status=status,
        detail=_printable(detail),
        instance=_printable(request.path),
        message=_printable(detail),
        summary=summary,
        time=date_time(clock()),
        field=None if field is None else _printable(field),
    )
    return Response(status, msgspec.json.encode(problem), {"content-type": PROBLEM, **_headers(error)})


def _headers(error: Exception) -> dict[str, str]:
    match error:
        case errors.Unauthenticated():
            # Basic is accepted and not offered: browsers would ask for a password in the middle of a player's page.
            return {"www-authenticate": 'Bearer realm="tams"'}
        case errors.MethodNotAllowed():
            return {"allow": ", ".join(error.allowed)}
        case errors.RangeNotSatisfiable():
            return {"content-range": f"bytes */{error.size}"}
        case errors.Unavailable():
            return {"retry-after": str(error.retry_after)}
        case errors.Conflict():
            return {"retry-after": "1"}
        case _:
            return {}


def _printable(text: str) -> str:
    """Text as JSON can hold it: what came in as stray bytes is replaced."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
