"""Run as a program: commits batches for ever and prints each number once its commit has answered."""

import sys
from pathlib import Path

from tests.vast_emulator.engine.world import database, insert, update
from vast_emulator.engine import EngineOptions


def main(directory: Path) -> None:
    """Commit number i inserts four rows with k = i and sets n = i in the first row of the commit before."""
    engine = database(directory, EngineOptions(checkpoint_bytes=20_000), sort_key=(0,))
    number, previous = 0, -1
    while True:
        txid = engine.begin()
        first, *_ = insert(engine, {"k": [number] * 4, "s": ["x" * 100] * 4}, txid=txid)
        if previous >= 0:
            update(engine, [previous], txid=txid, n=[number])
        engine.commit(txid)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        number, previous = number + 1, first


if __name__ == "__main__":
    main(Path(sys.argv[1]))
