"""JSON in and out: strict, typed, and with errors that say where and what was expected (GEN-1, GEN-13, GEN-19)."""

import re
from functools import cache
from typing import Any, Final, TypeVar, overload

import msgspec

from tams_common.errors import InvalidInput
from tams_common.http.expected import expected
from tams_common.http.message import Response
from tams_common.timerange import TimeRange, format_timestamp, parse_timestamp

T = TypeVar("T")

JSON: Final = "application/json"

_AT: Final = re.compile(r"(.*) - at `(key in )?(\$.*)`", re.DOTALL)
_NAMED: Final = re.compile(r"Object (?:missing required|contains unknown) field `(.*)`", re.DOTALL)
_FORM: Final = re.compile(r"Invalid (?:enum )?value |Expected `str` matching regex ")

_JSON_NAMES: Final = {type(None): "null", dict: "object", list: "array"}
"""What msgspec's own messages call these types."""


class Timestamp(int):
    """A media time in ns that a body writes as `seconds:nanoseconds` (TIME-1), for fields of Structs."""

    __slots__ = ()


@overload
def decode_json(data: bytes, kind: type[T]) -> T: ...
@overload
def decode_json(data: bytes, kind: object) -> Any: ...  # noqa: ANN401 — a union is no `type`, its caller names it
def decode_json(data: bytes, kind: object) -> object:
    """The body `data` as a `kind`; raises `InvalidInput` whose `field` is the JSON path at fault.

    `kind` is what msgspec knows (Structs, unions, lists, …), `TimeRange` and `Timestamp`. NaN and infinities are no
    JSON, and neither are nesting beyond the interpreter's depth or bytes that are not UTF-8.
    """
    if not data:
        raise InvalidInput("the body is absent; expected JSON", field="$")
    try:
        if not data.isascii():
            data.decode()
        return _decoder(kind).decode(data)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), kind) from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the body is not valid UTF-8 at byte {error.start}", field="$") from None
    except msgspec.DecodeError as error:
        raise InvalidInput(f"the body is not valid JSON: {error}", field="$") from None
    except RecursionError:
        raise InvalidInput("the body is nested too deeply", field="$") from None


def encode_json(value: object) -> bytes:
    """`value` as JSON, with `TimeRange` and `Timestamp` in their canonical text."""
    return _ENCODER.encode(value)


def json_response(value: object, status: int = 200, *, headers: dict[str, str] | None = None) -> Response:
    """A response with `value` as JSON; `bytes` are JSON already."""
    body = value if isinstance(value, bytes) else _ENCODER.encode(value)
    if headers is None:
        return Response(status, body, {"content-type": JSON})
    headers.setdefault("content-type", JSON)
    return Response(status, body, headers)


def no_content(headers: dict[str, str] | None = None) -> Response:
    """204, which has no body (GEN-11)."""
    return Response(204, b"", {} if headers is None else headers)


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:  # noqa: ANN401
    return msgspec.json.Decoder(kind, dec_hook=_read)


def _read(kind: type, value: object) -> object:
    if kind is TimeRange or kind is Timestamp:
        if not isinstance(value, str):
            raise ValueError(f"Expected `str`, got `{_JSON_NAMES.get(type(value), type(value).__name__)}`")
        return TimeRange.parse(value) if kind is TimeRange else Timestamp(parse_timestamp(value))
    raise NotImplementedError(f"bodies have no {kind.__name__}")


def _write(value: object) -> object:
    if isinstance(value, TimeRange):
        return str(value)
    if isinstance(value, Timestamp):
        return format_timestamp(value)
    raise NotImplementedError(f"bodies have no {type(value).__name__}")


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_write)


def _invalid(message: str, kind: object) -> InvalidInput:
    """Tells msgspec's message and path apart; a missing or unknown member becomes part of the path. Where a value is
    none of a few words, or not of a form, those words or an example follow."""
    located = _AT.fullmatch(message)
    what, path = (located[1], located[3]) if located else (message, "$")
    named = _NAMED.fullmatch(what)
    if named:
        path = f"{path}.{named[1]}"
    wanted = expected(kind, path) if _FORM.match(what) else ""
    return InvalidInput(f"{what} at {path}{wanted and f': {wanted}'}", field=path)
