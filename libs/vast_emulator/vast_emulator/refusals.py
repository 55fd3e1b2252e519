"""Errors as the protocol answers them: a status the SDK knows and an S3 error document."""

from xml.sax.saxutils import escape

from vast_emulator.engine.errors import EngineError

# The SDK itself breaks on any other status (ValueError out of its HttpStatus).
STATUSES = frozenset({200, 400, 403, 404, 405, 408, 409, 500, 501, 503, 507})


def refusal(status: int, code: str, *, message: str) -> EngineError:
    """The error to raise for a request that the face itself cannot accept."""
    return EngineError(status, code, message=message)


def document(error: EngineError, resource: str) -> bytes:
    """The error's XML; VAST's own drivers insist on a `RequestId`."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
        f"<Resource>{escape(resource)}</Resource><RequestId>0</RequestId></Error>"
    ).encode()
