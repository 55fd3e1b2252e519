"""Which rules of the specification tests show, and how those tests came out: `make conformance`.

Rules come from the checklist of TAMS 8.2, which the project holds no copy of; a test names those that it shows with
`@rule("PAG-6")`. What no test shows stands in `tools/conformance.toml` with a reason, or is told as missing; where a
rule that tests show does not hold, the same file tells the limit.
"""

import argparse
import os
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[1]
CHECKLIST = HOME.parent / "shared" / "design" / "spec-checklist.md"
EXCUSES = Path(__file__).with_suffix(".toml")
PAGE = HOME / "docs" / "conformance.md"

_SECTION = re.compile(r"#{2,3} [0-9.]+ (?P<title>.*?) \((?P<prefix>[A-Z]+)\)")
_RULE = re.compile(r"\| (?P<id>[A-Z]+-[0-9]+) \| (?P<level>[A-Z ]+°?) \|")
_MARKS = {"shown": "yes", "failed": "**FAILED**", "excused": "–", "missing": "**MISSING**"}


@dataclass(frozen=True)
class Rule:
    """A rule of the checklist; `level` is MUST, SHOULD, MAY or INFER, with ° where the wording has no keyword."""

    id: str
    level: str
    section: str


@dataclass
class Shown:
    """The tests that show a rule, by outcome."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0


@dataclass(eq=False)
class Collector:
    """A pytest plugin that notes for each rule how its tests came out."""

    rules: dict[str, Shown] = field(default_factory=lambda: defaultdict(Shown))
    _of_test: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Notes which rules each test names; runs before what is not selected is taken away."""
        for item in items:
            self._of_test[item.nodeid] = tuple(name for mark in item.iter_markers("rule") for name in mark.args)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Counts a test once: by its own outcome, or by that of the fixture that failed it."""
        if report.when != "call" and report.passed:
            return
        for name in self._of_test.get(report.nodeid, ()):
            shown = self.rules[name]
            shown.passed += report.passed
            shown.failed += report.failed
            shown.skipped += report.skipped


def read_rules(text: str) -> list[Rule]:
    """The rules of the checklist in its order."""
    rules: list[Rule] = []
    section = ""
    for line in text.splitlines():
        if found := _SECTION.match(line):
            section = f"{found['prefix']}: {found['title']}"
        elif section and (found := _RULE.match(line)):
            rules.append(Rule(found["id"], found["level"], section))
    return rules


def state(rule: Rule, shown: Mapping[str, Shown], *, excuses: Mapping[str, str]) -> str:
    """`shown`, `failed`, `excused` or `missing`; a test that was skipped shows nothing."""
    found = shown.get(rule.id, Shown())
    if found.failed:
        return "failed"
    if found.passed:
        return "shown"
    return "excused" if rule.id in excuses else "missing"


def page(
    rules: Sequence[Rule], shown: Mapping[str, Shown], *, excuses: Mapping[str, str], limits: Mapping[str, str]
) -> str:
    """The page `docs/conformance.md`."""
    lines = [
        "# Conformance to TAMS 8.2",
        "",
        "Written by `make conformance`: every rule of our checklist of the specification, with the tests that show it.",
        "",
        "| section | rules | shown by tests | with a reason | failed | missing |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for section, members in _by_section(rules):
        states = [state(rule, shown, excuses=excuses) for rule in members]
        counts = [states.count(word) for word in ("shown", "excused", "failed", "missing")]
        lines.append(f"| {section} | {len(members)} | " + " | ".join(map(str, counts)) + " |")
    for section, members in _by_section(rules):
        lines += [
            "",
            f"## {section}",
            "",
            "| rule | level | tests | holds | reason or limit |",
            "| --- | --- | --- | --- | --- |",
        ]
        for rule in members:
            found = shown.get(rule.id, Shown())
            word = _MARKS[state(rule, shown, excuses=excuses)]
            why = (limits if found.passed else excuses).get(rule.id, "")
            lines.append(f"| {rule.id} | {rule.level} | {found.passed + found.failed} | {word} | {why} |")
    return "\n".join(lines) + "\n"


def _by_section(rules: Iterable[Rule]) -> list[tuple[str, list[Rule]]]:
    sections: dict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        sections[rule.section].append(rule)
    return list(sections.items())


def mistakes(
    rules: Sequence[Rule], shown: Iterable[str], *, excuses: Mapping[str, str], limits: Mapping[str, str]
) -> list[str]:
    """Ids that the checklist does not have, reasons that are no longer needed, and limits of what is not shown."""
    known = {rule.id for rule in rules}
    lines = [f"a test names the rule {name}, which the checklist does not have" for name in sorted(set(shown) - known)]
    lines += [f"a reason stands for {name}, which is no rule" for name in sorted(set(excuses) - known)]
    lines += [f"a limit stands for {name}, which no test shows" for name in sorted(set(limits) - set(shown))]
    return lines + [f"a reason stands for {name}, which tests show" for name in sorted(set(excuses) & set(shown))]


def main(arguments: Sequence[str]) -> int:
    """Runs the tests that name rules, prints the table, writes the page with `--write`; 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/conformance.md")
    parser.add_argument("--sections", help="prefixes with commas between them: of these nothing may be missing")
    options = parser.parse_args(arguments)
    checklist = Path(os.environ.get("TAMS_TEST_CHECKLIST", CHECKLIST))
    if not checklist.is_file():
        print(f"conformance: there is no checklist at {checklist}; set TAMS_TEST_CHECKLIST to it")
        return 0
    rules = read_rules(checklist.read_text("utf-8"))
    told = tomllib.loads(EXCUSES.read_text("utf-8"))
    excuses, limits = ({str(name): str(why) for name, why in told[part].items()} for part in ("reasons", "limits"))
    collector = Collector()
    outcome = pytest.main(["-q", "-m", "rule", "-p", "no:cacheprovider"], plugins=[collector])
    if outcome not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        print("conformance: the tests could not be run")
        return 1
    text = page(rules, collector.rules, excuses=excuses, limits=limits)
    if options.write:
        PAGE.write_text(text, "utf-8")
    print(text.partition("\n## ")[0])
    wanted = (
        set(options.sections.split(",")) if options.sections else {rule.section.partition(":")[0] for rule in rules}
    )
    wrong = mistakes(rules, collector.rules, excuses=excuses, limits=limits)
    missing = [
        rule.id
        for rule in rules
        if rule.section.partition(":")[0] in wanted and state(rule, collector.rules, excuses=excuses) == "missing"
    ]
    if missing:
        wrong.append(f"no test shows {', '.join(missing)}")
    for line in wrong:
        print(f"conformance: {line}")
    return 1 if wrong or outcome != pytest.ExitCode.OK else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
