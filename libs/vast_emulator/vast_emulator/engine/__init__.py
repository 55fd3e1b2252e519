"""The database behind the wire face: transactions over tables of Arrow row groups, durable by a redo log."""

from vast_emulator.engine.database import Engine, EngineOptions
from vast_emulator.engine.errors import EngineError

__all__ = ["Engine", "EngineError", "EngineOptions"]
