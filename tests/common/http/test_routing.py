import pytest

from tams_common.errors import MethodNotAllowed, NotFound
from tams_common.http.routing import Router
from tests.conformance import rule

ROUTER = Router(
    [
        ("GET", "/a/b/c", "literal"),
        ("GET", "/a/{x}/d", "parameter"),
        ("PUT", "/a/{x}", "put"),
        ("GET", "/a/{x}/{y}/e", "two"),
    ]
)


@pytest.mark.parametrize(
    ("path", "target", "values"),
    [
        ("/a/b/c", "literal", {}),
        ("/a/b/d", "parameter", {"x": "b"}),
        ("/a/x/d", "parameter", {"x": "x"}),
        ("/a/b/c/e", "two", {"x": "b", "y": "c"}),
        ("/a/%62/d", "parameter", {"x": "b"}),
    ],
)
def test_literals_come_first_and_are_not_final(path: str, target: str, values: dict[str, str]) -> None:
    assert ROUTER.match("GET", path) == (target, values)


@rule("GEN-6")
def test_escapes_are_not_literals() -> None:
    with pytest.raises(NotFound):
        ROUTER.match("GET", "/%61/b/c")


def test_long_paths_cost_nothing() -> None:
    with pytest.raises(NotFound):
        ROUTER.match("GET", "/a/b" * 100_000)


@rule("HEAD-6")
def test_head_needs_a_get() -> None:
    assert ROUTER.match("HEAD", "/a/b/c")[0] == "literal"
    with pytest.raises(MethodNotAllowed) as caught:
        ROUTER.match("HEAD", "/a/b")
    assert caught.value.allowed == ("OPTIONS", "PUT")
    assert caught.value.detail == "HEAD is not possible on /a/b, only OPTIONS, PUT"
