"""Whether other processes use the same file: each store holds a shared lock on a file beside it."""

import fcntl
import os
import time
from pathlib import Path
from typing import Final, Self

_LOOK_SECONDS: Final = 0.1


class Sharing:
    """SQLite's lock is not fair: a writer that never pauses starves the others, and one alone need not pause."""

    def __init__(self, database: Path) -> None:
        path = database.with_name(f"{database.name}-users")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(self._file, fcntl.LOCK_SH)
        self._shared = False
        self._looked = 0.0

    def shared(self) -> bool:
        """Whether another store uses the file, as of at most a tenth of a second ago."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            self._shared = self._look()
        return self._shared

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def _look(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            alone = False
        else:
            alone = True
        # Changing a lock may drop the old one first, so the shared one is taken anew either way.
        fcntl.flock(self._file, fcntl.LOCK_SH)
        return not alone
