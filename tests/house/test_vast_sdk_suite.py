"""The SDK's suite is judged by its list of exceptions, and by nothing else."""

from pathlib import Path

import pytest

from tools.vast_sdk_suite import EXPECTATIONS, Expectations, outcomes

LISTED = Expectations(failing={"a.py::one": "no engine", "a.py::two[x]": "no S3"}, not_run={})
AS_LISTED = {"a.py::one[1]": "failed", "a.py::one[2]": "failed", "a.py::two[x]": "failed", "a.py::two[y]": "passed"}


def test_every_exception_has_a_reason() -> None:
    found = Expectations.read(EXPECTATIONS)
    assert all(reason.strip() for reason in (*found.failing.values(), *found.not_run.values()))


def test_what_comes_out_as_listed_is_no_surprise() -> None:
    assert LISTED.judge(AS_LISTED | {"a.py::three": "skipped"}) == []


@pytest.mark.parametrize(
    ("change", "surprise"),
    [
        ({"a.py::two[y]": "failed"}, "failed: a.py::two[y]"),
        ({"a.py::one[2]": "passed"}, "passes although it is listed (no engine): a.py::one[2]"),
    ],
)
def test_any_other_outcome_is(change: dict[str, str], surprise: str) -> None:
    assert LISTED.judge(AS_LISTED | change) == [surprise]


def test_a_listed_case_that_is_gone_is_named() -> None:
    assert LISTED.judge({"a.py::one": "failed"}) == ["listed, but there is no such case: a.py::two[x]"]


def test_outcomes_are_read_from_a_report(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="vastdb.tests.a" name="one"/>'
        '<testcase classname="vastdb.tests.a" name="two[x]"><failure/></testcase>'
        '<testcase classname="vastdb.tests.a" name="one"><error/></testcase>'
        '<testcase classname="vastdb.tests.a" name="three"><skipped/></testcase></testsuite></testsuites>',
        encoding="utf-8",
    )
    assert outcomes(report) == {"a.py::one": "failed", "a.py::two[x]": "failed", "a.py::three": "skipped"}
