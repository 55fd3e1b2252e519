"""Requests and answers as the handlers see them, free of the HTTP library."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from vast_emulator.engine.port import TableName
from vast_emulator.refusals import refusal

# Commands are bare names in the query string; the first of these found there is what the request asks for.
COMMANDS = (
    "transaction",
    "schema",
    "table",
    "column",
    "sorted-columns",
    "stats",
    "data",
    "rows",
    "projection",
    "projection-columns",
    "projection-stats",
    "blob-expansion",
    "partitions",
    "list_type",
    "query-engine-capabilities",
)


@dataclass(frozen=True)
class Call:
    """One request: the method, the target as it was sent (for the signature), header names in lower case, the body."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    path: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def parse(method: str, target: str, *, headers: Mapping[str, str]) -> "Call":
        """The call without its body; path parts are unquoted, parameters keep the last of equal names."""
        split = urlsplit(target)
        path = tuple(unquote(part) for part in split.path.split("/") if part)
        parameters = dict(parse_qsl(split.query, keep_blank_values=True))
        lowered = {name.lower(): value for name, value in headers.items()}
        return Call(method, target, lowered, path=path, parameters=parameters)

    @property
    def command(self) -> str:
        """The command's name, empty where the request names none (`HEAD /bucket`)."""
        return next((name for name in COMMANDS if name in self.parameters), "")

    @property
    def kind(self) -> str:
        """Method and command in one word pair, as counters and faults name it: `PUT transaction`."""
        return f"{self.method} {self.command}".rstrip()

    @property
    def txid(self) -> int:
        """The transaction that the request belongs to, 0 for none."""
        return self.number("tabular-txid", 0)

    def number(self, header: str, default: int) -> int:
        """A decimal header. Raises a refusal (400) for anything else."""
        text = self.headers.get(header)
        if text is None:
            return default
        try:
            return int(text)
        except ValueError:
            raise refusal(400, "InvalidArgument", message=f"{header} is not a number") from None

    def flag(self, header: str) -> bool:
        """A header that carries Python's or JSON's spelling of true."""
        return self.headers.get(header, "").lower() == "true"

    def parameter(self, name: str) -> str:
        """A parameter that the command cannot do without. Raises a refusal (400)."""
        value = self.parameters.get(name)
        if not value:
            raise refusal(400, "InvalidArgument", message=f"{name} is missing")
        return value

    @property
    def bucket(self) -> str:
        """The first part of the path."""
        if not self.path:
            raise refusal(400, "InvalidArgument", message="the request names no bucket")
        return self.path[0]

    @property
    def schema(self) -> str:
        """The schema's path below the bucket, empty for the bucket itself; schemas nest."""
        return "/".join(self.path[1:])

    @property
    def table(self) -> TableName:
        """The table at the end of the path."""
        if len(self.path) < 3:
            raise refusal(400, "InvalidArgument", message="the request names no table")
        return TableName(self.path[0], "/".join(self.path[1:-1]), self.path[-1])


@dataclass(frozen=True)
class Answer:
    """A reply: its body at once, or as chunks that are made while they are sent."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: Iterator[bytes] | None = None


OK = Answer()
