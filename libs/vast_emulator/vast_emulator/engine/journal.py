"""What makes commits durable: a folder with a checkpoint, the redo logs since, and the chunk files."""

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from vast_emulator.engine.checkpoint import Saved, load, save
from vast_emulator.engine.chunks import ChunkStore
from vast_emulator.engine.operations import Operation, decode
from vast_emulator.engine.redo import RedoLog, records


class Journal:
    """One process's hold on a database folder."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._guard = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._guard)
            raise
        self._number = 0
        self._log: RedoLog | None = None

    @property
    def log(self) -> RedoLog:
        """The log that commits go to, after `recover`."""
        if self._log is None:
            raise RuntimeError("the journal was not read yet")
        return self._log

    def recover(self, store: ChunkStore, replay: Callable[[Saved, Iterator[list[Operation]]], None]) -> None:
        """Hands over the last checkpoint and every transaction since, and opens the log for more."""
        saved = load(self._directory / "checkpoint", store)
        numbers = self._numbers()
        for number in [each for each in numbers if each < saved.first_log]:
            self._path(number).unlink()
        left = [number for number in numbers if number >= saved.first_log]
        replay(saved, self._replayed(left))
        self._number = max(left, default=saved.first_log)
        self._log = RedoLog(self._path(self._number))

    def rotate(self) -> int:
        """Later commits, none under way, go to a new log, whose number this is. 507 or OSError: nothing changed."""
        self.log.mend()
        number = self._number + 1
        new = RedoLog(self._path(number))
        self.log.close()
        self._number, self._log = number, new
        return number

    def save(self, saved: Saved, store: ChunkStore) -> None:
        """Writes a checkpoint and removes the logs that it makes needless; OSError: the logs are all still there."""
        save(self._directory / "checkpoint", saved, store=store)
        for number in self._numbers():
            if number < saved.first_log:
                self._path(number).unlink()

    def close(self) -> None:
        """Lets go of the folder."""
        self.log.close()
        os.close(self._guard)

    def _replayed(self, numbers: list[int]) -> Iterator[list[Operation]]:
        for number in numbers:
            for record in records(self._path(number), is_last=number == numbers[-1]):
                yield decode(record)

    def _numbers(self) -> list[int]:
        return sorted(int(path.stem.removeprefix("redo-")) for path in self._directory.glob("redo-*.log"))

    def _path(self, number: int) -> Path:
        return self._directory / f"redo-{number}.log"
