"""The emulator's own requests below `/__control__/`, unsigned: statistics, faults, metrics.

No bucket can be named so, therefore nothing of the protocol is hidden.
"""

from dataclasses import asdict

import msgspec

from vast_emulator.counters import Counters
from vast_emulator.engine.port import EnginePort
from vast_emulator.faults import Fault, Faults
from vast_emulator.message import OK, Answer, Call
from vast_emulator.refusals import refusal

PREFIX = "__control__"

_JSON = {"Content-Type": "application/json"}
_TEXT = {"Content-Type": "text/plain; version=0.0.4"}


class Control:
    """Answers the control requests; blocks no longer than the engine's own calls."""

    def __init__(self, engine: EnginePort, counters: Counters, *, faults: Faults) -> None:
        self._engine = engine
        self._counters = counters
        self._faults = faults

    def answer(self, call: Call) -> Answer:
        """Raises a refusal (404, 400) for anything unknown."""
        match (call.method, *call.path[1:]):
            case ("GET", "stats"):
                return _json(self._statistics())
            case ("DELETE", "stats"):
                self._counters.reset()
            case ("GET", "faults"):
                return _json(self._faults.states())
            case ("POST", "faults"):
                self._faults.add(_fault(call.body))
            case ("DELETE", "faults"):
                self._faults.clear()
            case ("GET", "metrics"):
                return Answer(body=self._metrics().encode(), headers=_TEXT)
            case ("POST", "checkpoint"):
                self._engine.checkpoint()
            case _:
                raise refusal(404, "NoSuchControl", message=f"{call.method} {call.target}")
        return OK

    def _statistics(self) -> dict[str, dict[str, int]]:
        return {**self._counters.snapshot(), "engine": asdict(self._engine.stats())}

    def _metrics(self) -> str:
        found = self._statistics()
        lines = [f'vast_emulator_requests_total{{command="{kind}"}} {n}' for kind, n in found["requests"].items()]
        lines += [f'vast_emulator_answers_total{{status="{status}"}} {n}' for status, n in found["statuses"].items()]
        lines += [f'vast_emulator_rows_total{{what="{what}"}} {n}' for what, n in found["rows"].items()]
        lines += [f"vast_emulator_engine_{name} {n}" for name, n in found["engine"].items()]
        return "\n".join(lines) + "\n"


def _fault(body: bytes) -> Fault:
    try:
        return msgspec.json.decode(body, type=Fault)
    except msgspec.MsgspecError as error:
        raise refusal(400, "InvalidArgument", message=str(error)) from error


def _json(value: object) -> Answer:
    return Answer(body=msgspec.json.encode(value), headers=_JSON)
