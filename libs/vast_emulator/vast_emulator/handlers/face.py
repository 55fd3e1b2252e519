"""What every handler is given."""

from collections.abc import Callable
from dataclasses import dataclass

from vast_emulator.counters import Counters
from vast_emulator.engine.port import EnginePort
from vast_emulator.message import Answer, Call
from vast_emulator.versions import Version


@dataclass(frozen=True)
class Face:
    """The engine, the counters and the version that is played."""

    engine: EnginePort
    counters: Counters
    version: Version


Handler = Callable[[Face, Call], Answer]
