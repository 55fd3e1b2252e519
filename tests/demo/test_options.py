"""The command line is read exactly, and what makes no sense is refused before anything is made."""

from fractions import Fraction

import pytest

from tams_demo.__main__ import parse
from tams_demo.wrapping import FMP4, TS


def test_without_options_a_minute_is_made_for_a_store_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAMS_DEMO_TOKEN", raising=False)
    options = parse([])
    assert (options.url, options.token, options.file, options.objects) == (None, None, None, None)
    assert (options.seconds, options.segment, options.delete) == (60, Fraction(2), False)
    assert options.epoch % 10**9 == 0
    assert options.wrapping is TS


def test_media_may_be_wrapped_as_fragments() -> None:
    assert parse(["--container", "fmp4"]).wrapping is FMP4


def test_the_token_comes_from_the_environment_unless_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAMS_DEMO_TOKEN", "environment")
    assert parse([]).token == "environment"
    assert parse(["--token", "given"]).token == "given"


def test_a_store_of_its_own_may_keep_media_elsewhere() -> None:
    assert parse(["--objects", "s3:storage.toml"]).objects == "s3:storage.toml"


@pytest.mark.parametrize(("text", "epoch"), [("0", 0), ("5", 5 * 10**9), ("1:500000000", 1_500_000_000)])
def test_the_time_line_may_begin_anywhere(text: str, epoch: int) -> None:
    assert parse(["--epoch", text]).epoch == epoch


def test_segments_may_last_any_exact_time() -> None:
    assert parse(["--segment", "48/25"]).segment == Fraction(48, 25)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--url", "localhost:4010"],
        ["--seconds", "0"],
        ["--seconds", "x"],
        ["--segment", "0"],
        ["--segment", "1/0"],
        ["--epoch", "now"],
        ["--container", "mov"],
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(arguments)
    assert arguments[0] in capsys.readouterr().err
