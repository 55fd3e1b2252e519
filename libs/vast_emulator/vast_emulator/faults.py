"""Faults on request: the next N requests of a kind fail in a chosen way."""

import threading
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from vast_emulator.message import Call


class Kind(StrEnum):
    """What happens to a request."""

    SLOW_DOWN = "slow-down"
    """503 `SlowDown`, nothing is done: the SDK tries again by itself."""
    CONFLICT = "conflict"
    """409, nothing is done."""
    UNAVAILABLE = "unavailable"
    """503 `ServiceUnavailable`, nothing is done."""
    DROP = "drop"
    """The connection is closed before anything is done."""
    SLOW = "slow"
    """Everything is done, `seconds` later."""
    LOSE_ANSWER = "lose-answer"
    """Everything is done, then the connection is closed instead of an answer."""
    CUT = "cut"
    """The connection is closed in the middle of a streamed answer (`GET data`); other answers are lost whole."""
    FAIL_STREAM = "fail-stream"
    """A streamed answer (`GET data`) ends with the protocol's frame for a failed query; others are not touched."""


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule: `command` as in `PUT transaction`, empty for every one; `path` an end of the request's path, empty for
    every one. The first `skip` matches pass, the next `times` are hit."""

    kind: Kind
    command: str = ""
    path: str = ""
    skip: int = 0
    times: int = 1
    seconds: float = 0.0


class FaultState(msgspec.Struct, frozen=True):
    """A rule with what is left of it and how often it hit."""

    fault: Fault
    remaining: int
    hits: int


@dataclass
class _Rule:
    fault: Fault
    seen: int = 0
    hits: int = 0

    def matches(self, call: Call) -> bool:
        """Whether the call is one the rule speaks about."""
        fault = self.fault
        return fault.command in {"", call.kind} and "/".join(call.path).endswith(fault.path)

    @property
    def remaining(self) -> int:
        return self.fault.times - self.hits


class Faults:
    """The rules in force, the oldest first; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []

    def add(self, fault: Fault) -> None:
        """Puts a rule in force, after those that are there."""
        with self._lock:
            self._rules.append(_Rule(fault))

    def clear(self) -> None:
        """Takes every rule out of force."""
        with self._lock:
            self._rules.clear()

    def take(self, call: Call) -> Fault | None:
        """The fault that hits the call, if any; each match counts once, and one rule hits at most."""
        with self._lock:
            for rule in self._rules:
                if rule.remaining <= 0 or not rule.matches(call):
                    continue
                rule.seen += 1
                if rule.seen > rule.fault.skip:
                    rule.hits += 1
                    return rule.fault
        return None

    def states(self) -> list[FaultState]:
        """Every rule with its counts, used-up ones included."""
        with self._lock:
            return [FaultState(rule.fault, rule.remaining, rule.hits) for rule in self._rules]
