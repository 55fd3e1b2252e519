"""Logs: one JSON object per line in production, readable lines on a terminal, the request's id in each of them.

Secrets do not get into them: queries pass through `redacted`, headers are not logged at all.
"""

import atexit
import logging
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from typing import Any, Final, Literal, TextIO, TypeAlias
from urllib.parse import unquote_plus

import msgspec
import structlog

Format: TypeAlias = Literal["auto", "json", "pretty"]
Level: TypeAlias = Literal["debug", "info", "warning", "error"]

REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""The id of the request at hand; whoever accepts a request sets it."""

SECRET_PARAMETERS: Final = frozenset({"access_token", "signature", "x-amz-signature", "x-amz-security-token"})
BATCH: Final = 0.05
"""Seconds for which lines are gathered before they are written."""
MAX_WAITING: Final = 20_000
"""Lines that wait at most while nobody reads the output; further ones are counted and dropped."""
PATIENCE: Final = 2.0
"""Seconds that closing waits for the output."""

_writes_letters_as_escapes = re.compile(r"%(?:[46][1-9A-Fa-f]|[57][0-9Aa])").search
_LEVELS: Final[dict[str, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class LineWriter:
    """Writes lines to a stream from a thread of its own, so that a slow reader never holds up the event loop."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._due = threading.Event()
        self._closing = threading.Event()
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Takes a line without its end; returns at once."""
        if len(self._lines) >= MAX_WAITING:
            self._dropped += 1
            return
        self._lines.append(line)
        if not self._due.is_set():
            self._due.set()

    def flush(self) -> None:
        """Writes what waits."""
        with self._writing:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            dropped, self._dropped = self._dropped, 0
            if dropped:
                lines.append(f'{{"level":"warning","event":"log lines dropped","count":{dropped}}}')
            if lines:
                try:
                    self._stream.write("\n".join(lines) + "\n")
                    self._stream.flush()
                except (OSError, ValueError):
                    return  # a closed output has no place left to say so

    def close(self) -> None:
        """Writes what waits and ends the thread; an output that nobody reads is given up after a while."""
        self._closing.set()
        self._due.set()
        self._thread.join(PATIENCE)
        if not self._thread.is_alive():
            self.flush()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._due.wait()
            self._closing.wait(BATCH)
            self._due.clear()
            self.flush()


class Logs:
    """The logging of this process, from `configure` until `close`."""

    def __init__(self, writer: LineWriter, *, pretty: bool) -> None:
        self.writer = writer
        self.pretty = pretty

    def close(self) -> None:
        """Writes what waits; lines after this are lost."""
        atexit.unregister(self.close)
        self.writer.close()


def configure(form: Format = "auto", level: Level = "info", *, stream: TextIO | None = None) -> Logs:
    """Sends structlog and the standard library's loggers to `stream` (standard error), once per process."""
    output = stream or sys.stderr
    pretty = form == "pretty" or (form == "auto" and output.isatty())
    logs = Logs(LineWriter(output), pretty=pretty)
    atexit.register(logs.close)
    shared: list[Callable[..., Any]] = [
        _add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    if pretty:
        last: list[Callable[..., Any]] = [
            structlog.dev.ConsoleRenderer(
                colors=output.isatty(), exception_formatter=structlog.dev.plain_traceback, timestamp_key="time"
            )
        ]
    else:
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_json)]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *args: _Lines(logs),
        cache_logger_on_first_use=False,
    )
    handler = _Handler(logs.writer)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(_LEVELS[level], logging.WARNING))
    return logs


def line_output() -> tuple[Callable[[str], object], bool]:
    """Where finished lines go and whether they are to be pretty, as configured when this is called: for logs that
    are written once per request and cannot afford structlog's way."""
    lines = structlog.get_config()["logger_factory"]()
    return lines.msg, getattr(lines, "pretty", False)


def redacted(query: str) -> str:
    """A raw query without the secrets in it."""
    lower = query.lower()
    if "token" not in lower and "signature" not in lower and not _writes_letters_as_escapes(query):
        return query
    return "&".join(_redacted(part) for part in query.split("&"))


def _redacted(part: str) -> str:
    name, equals, _ = part.partition("=")
    return f"{name}=…" if equals and unquote_plus(name).lower() in SECRET_PARAMETERS else part


class _Lines:
    """What structlog hands its rendered lines to."""

    def __init__(self, logs: Logs) -> None:
        self.pretty = logs.pretty
        self.msg = self.debug = self.info = self.warning = self.error = self.critical = logs.writer.write


class _Handler(logging.Handler):
    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._writer.write(self.format(record))
        except Exception:  # noqa: BLE001 — as the standard library's handlers do
            self.handleError(record)


def _add_request_id(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    request_id = REQUEST_ID.get()
    if request_id:
        event["request_id"] = request_id
    return event


def _json(value: object, **_: object) -> str:
    return msgspec.json.encode(value, enc_hook=repr).decode()
