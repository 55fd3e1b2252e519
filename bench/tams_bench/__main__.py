"""`python -m tams_bench`: measures the running store, or the store on VAST DB, and prints ratios against references."""

import argparse
import tempfile
from pathlib import Path

from rich.console import Console

from tams_bench import deletions, events, lists, report, service, signing, vast


def main() -> None:
    """Runs the bench and prints its table; exit status 1 when a figure is missed."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--store", choices=("sqlite", "vast"), default="sqlite", help="vast: its adapter, on the emulator"
    )
    parser.add_argument("--events", action="store_true", help="the event path: Kafka and webhooks")
    parser.add_argument("--deletions", action="store_true", help="reads beside the deletion of a million segments")
    parser.add_argument("--lists", action="store_true", help="lists of 100,000 flows with tags, filtered in every way")
    parser.add_argument("--signing", action="store_true", help="presigned URLs of S3, beside botocore's")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="small flows and short rounds: shows that the bench works")
    parser.add_argument("--write", type=Path, default=None, help="also write the tables to this Markdown file")
    options = parser.parse_args()
    run = service.run
    for other, wanted in (
        (vast.run, options.store == "vast"),
        (deletions.run, options.deletions),
        (events.run, options.events),
        (lists.run, options.lists),
        (signing.run, options.signing),
    ):
        run = other if wanted else run
    with (
        tempfile.TemporaryDirectory(prefix="tams-bench-") as directory,
        Console(stderr=True).status("starting") as status,
    ):
        found = run(quick=options.quick, rounds=options.rounds, status=status, scratch=Path(directory))
    report.show(found)
    if options.write:
        report.write(options.write, found)
    if not found.holds:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
