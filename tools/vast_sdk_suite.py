"""Runs the VAST SDK's own test suite, out of its wheel, against a fresh emulator: `make vast-sdk-suite`.

The emulator runs in this environment, the suite in another one (`.venv-vast`), which holds what it pins. Cases that are
expected to fail are listed in `tools/vast_sdk_suite.toml`; any other outcome than the listed one fails the run.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

EXPECTATIONS = Path(__file__).with_suffix(".toml")
KEY = "suite"


@dataclass(frozen=True)
class Expectations:
    """Names of cases, without `vastdb/tests/`, that fail and that are not run; each group with its reason."""

    failing: dict[str, str]
    not_run: dict[str, str]

    @staticmethod
    def read(path: Path) -> "Expectations":
        """Raises KeyError for a group without cases or reason."""
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        return Expectations(_by_case(found["failing"]), _by_case(found["not_run"]))

    def reason(self, case: str) -> str | None:
        """Why a case is expected to fail, by its whole name or its name without the parameter."""
        return self.failing.get(case) or self.failing.get(case.partition("[")[0])

    def judge(self, outcomes: dict[str, str]) -> list[str]:
        """One line for every case that came out otherwise than expected."""
        lines = [f"failed: {case}" for case, how in outcomes.items() if how == "failed" and not self.reason(case)]
        lines += [
            f"passes although it is listed ({self.reason(case)}): {case}"
            for case, how in outcomes.items()
            if how == "passed" and self.reason(case)
        ]
        seen = set(outcomes) | {case.partition("[")[0] for case in outcomes}
        return lines + [f"listed, but there is no such case: {case}" for case in self.failing if case not in seen]


def _by_case(groups: Sequence[dict[str, list[str]]]) -> dict[str, str]:
    return {case: str(group["reason"]) for group in groups for case in group["cases"]}


def outcomes(report: Path) -> dict[str, str]:
    """`passed`, `failed` or `skipped` for each case of a JUnit report."""
    found: dict[str, str] = {}
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 -- our own pytest wrote it
        module = case.attrib["classname"].rpartition(".")[2]
        tags = {child.tag for child in case}
        how = "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"
        name = f"{module}.py::{case.attrib['name']}"
        # A case whose clean-up fails is reported twice.
        found[name] = "failed" if found.get(name) == "failed" else how
    return found


@contextmanager
def emulator(version: str, data: Path) -> Iterator[str]:
    """The address of an emulator of the given version that keeps its tables in a folder."""
    command = [sys.executable, "-m", "vast_emulator", "--listen", "127.0.0.1:0", "--data", str(data)]
    command += ["--access-key", KEY, "--secret-key", KEY, "--version", version]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        greeting = process.stdout.readline() if process.stdout else ""
        if not greeting:
            raise SystemExit("vast-sdk-suite: the emulator did not start")
        yield greeting.split()[-1]
    finally:
        process.terminate()
        process.wait()


def run(python: Path, url: str, *, report: Path, expectations: Expectations, more: Sequence[str]) -> None:
    """Runs the suite with the other environment's interpreter, in the folder its package lies in."""
    where = "import json, pathlib, vastdb; print(json.dumps(str(pathlib.Path(vastdb.__file__).parents[1])))"
    folder = json.loads(subprocess.run([python, "-c", where], capture_output=True, check=True, text=True).stdout)
    # Without a configuration of its own pytest would take this project's, which lies further up.
    settings = report.with_name("pytest.ini")
    settings.write_text("[pytest]\n", encoding="utf-8")
    command: list[str | Path] = [python, "-m", "pytest", "vastdb/tests", "-c", settings, f"--rootdir={folder}"]
    command += ["-p", "no:cacheprovider", "-q", "--tb=no"]
    command += ["-W", "ignore", "--no-header", f"--junit-xml={report}", "-o", "junit_family=xunit2"]
    command += [f"--tabular-endpoint-url={url}", f"--tabular-access-key={KEY}", f"--tabular-secret-key={KEY}"]
    for case in expectations.not_run:
        option = "--deselect" if "::" in case else "--ignore"
        command.append(f"{option}=vastdb/tests/{case}")
    subprocess.run([*command, *more], cwd=folder, check=False)


def main() -> int:
    """Exit status 0 if everything came out as listed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--python", type=Path, required=True, help="interpreter of the suite's own environment")
    parser.add_argument("--version", default="5.5", help="which VAST the emulator plays [5.5]")
    options, more = parser.parse_known_args()
    expectations = Expectations.read(EXPECTATIONS)
    with tempfile.TemporaryDirectory(prefix="vast-sdk-suite-") as folder:
        report = Path(folder) / "report.xml"
        with emulator(options.version, Path(folder) / "data") as url:
            run(options.python.absolute(), url, report=report, expectations=expectations, more=more)
        if not report.exists():
            print("vast-sdk-suite: pytest did not run")
            return 1
        found = outcomes(report)
    surprises = expectations.judge(found)
    passed = sum(how == "passed" for how in found.values())
    print(f"vast-sdk-suite: {len(found)} cases, {passed} passed, {len(surprises)} not as listed")
    for line in surprises:
        print(f"  {line}")
    return 1 if surprises or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
