"""The check of the house numbers, on small inputs."""

from pathlib import Path

import pytest

from tools.check_house import check_file, check_folder, main


def findings(source: str, path: str = "libs/tams_common/ids.py") -> list[str]:
    return [str(finding) for finding in check_file(Path(path), source)]


def function_of(lines: int, name: str = "long") -> str:
    return f"def {name}() -> None:\n" + "    pass\n" * (lines - 1)


def test_a_tidy_module_has_no_findings() -> None:
    assert findings("def f(a: int, b: int, *, c: int, d: int, e: int) -> None:\n    pass\n") == []


def test_a_module_may_have_400_lines_and_a_test_file_500() -> None:
    assert findings("\n" * 400) == []
    assert findings("\n" * 401) == ["libs/tams_common/ids.py:401: 401 lines, at most 400"]
    assert findings("\n" * 500, "tests/common/test_ids.py") == []
    assert findings("\n" * 501, "tests/common/test_ids.py") == ["tests/common/test_ids.py:501: 501 lines, at most 500"]


def test_a_function_may_have_60_lines() -> None:
    assert findings(function_of(60)) == []
    assert findings("\n" + function_of(61)) == ["libs/tams_common/ids.py:2: long has 61 lines, at most 60"]
    assert findings("async " + function_of(61)) == ["libs/tams_common/ids.py:1: long has 61 lines, at most 60"]


def test_decorators_do_not_count_as_lines_of_the_function() -> None:
    assert findings("@cache\n" * 5 + function_of(60)) == []


@pytest.mark.parametrize(
    "signature",
    [
        "a, b, *, c, d, e",
        "a, *rest, b, c, **more",
        "_number, _frame, _event",
    ],
)
def test_five_parameters_are_enough(signature: str) -> None:
    assert findings(f"def f({signature}): ...") == []


@pytest.mark.parametrize("signature", ["a, b, *, c, d, e, f", "a, *rest, b, c, d, **more"])
def test_six_parameters_are_too_many(signature: str) -> None:
    assert findings(f"def f({signature}): ...") == ["libs/tams_common/ids.py:1: f has 6 parameters, at most 5"]


@pytest.mark.parametrize("signature", ["a, b, c", "a, b, /, c", "a, b, c, *rest"])
def test_what_follows_the_second_parameter_is_keyword_only(signature: str) -> None:
    text = "f takes 3 parameters by position; after the second they are keyword-only"
    assert findings(f"def f({signature}): ...") == [f"libs/tams_common/ids.py:1: {text}"]


def test_self_and_cls_are_not_counted_but_a_static_method_has_neither() -> None:
    methods = "class C:\n def f(self, a, b): ...\n @classmethod\n def g(cls, a, b): ...\n"
    assert findings(methods) == []
    assert len(findings("class C:\n @staticmethod\n def f(a, b, c): ...\n")) == 1


def test_methods_of_nested_classes_and_functions_in_methods_are_told_apart() -> None:
    nested = "class C:\n class D:\n  def f(self, a, b):\n   def g(a, b, c): ...\n"
    assert [finding.rpartition(": ")[2].split()[0] for finding in findings(nested)] == ["g"]


def test_the_language_decides_what_exit_takes() -> None:
    assert findings("class C:\n def __exit__(self, kind, error, trace): ...\n") == []


def test_fixtures_come_by_name() -> None:
    source = "def test_f(a, b, c): ...\n@pytest.fixture(scope='module')\ndef g(a, b, c): ...\ndef h(a, b, c): ...\n"
    assert findings(source, "tests/test_f.py") == [
        "tests/test_f.py:4: h takes 3 parameters by position; after the second they are keyword-only"
    ]
    assert len(findings(source)) == 3


def test_a_module_is_named_after_what_it_does() -> None:
    assert findings("", "libs/tams_common/utils.py") == [
        "libs/tams_common/utils.py:1: name the module after what it does, not utils.py"
    ]


def test_an_open_end_names_its_issue() -> None:
    mark = "TO" + "DO"
    assert findings(f"x = 1  # {mark}: later") == [f"libs/tams_common/ids.py:1: {mark} without an issue number"]
    assert findings(f"x = 1  # {mark} #7: later") == []
    assert findings(f"x = 1  # {mark} (issue 7): later") == []
    assert findings(f'x = "{mark}"') == []


def test_a_file_that_does_not_parse_is_a_finding() -> None:
    assert findings("def f(:\n") == ["libs/tams_common/ids.py:1: does not parse: invalid syntax"]


def test_a_folder_is_searched_to_the_bottom_but_not_its_caches(tmp_path: Path) -> None:
    tree = tmp_path / "house"
    for name in ("deep/down/utils.py", "__pycache__/utils.py", "deep/ids.py", "deep/ids.py.orig"):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = {finding.path.relative_to(tree).as_posix() for finding in check_folder(tree)}
    assert found == {"deep/down/utils.py", "deep/ids.py.orig"}


def test_the_exit_status_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "house: in order\n"
    (tmp_path / "base.py").touch()
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.endswith("base.py\nhouse: 1 findings\n")
