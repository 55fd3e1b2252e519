import io
import json
import logging as standard
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from tams_common import logging
from tams_common.logging import REQUEST_ID, LineWriter, Logs, configure, line_output, redacted
from tests.common.eventually import PATIENCE


@pytest.fixture
def start() -> Iterator[Callable[..., tuple[Logs, io.StringIO]]]:
    """Configures logging, and puts everything back at the end."""
    root = standard.getLogger()
    before = (structlog.get_config(), list(root.handlers), root.level)
    running: list[Logs] = []

    def begin(form: logging.Format = "json", level: logging.Level = "info") -> tuple[Logs, io.StringIO]:
        output = io.StringIO()
        running.append(configure(form, level, stream=output))
        return running[-1], output

    yield begin
    for logs in running:
        logs.close()
    structlog.configure(**before[0])
    root.handlers[:] = before[1]
    root.setLevel(before[2])


def lines(logs: Logs, output: io.StringIO) -> list[dict[str, Any]]:
    logs.writer.flush()
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_json_has_level_time_and_the_request(start: Callable[..., tuple[Logs, io.StringIO]]) -> None:
    logs, output = start()
    token = REQUEST_ID.set("r-1")
    structlog.get_logger().warning("flow gone", flow="f", at=b"x")
    REQUEST_ID.reset(token)
    structlog.get_logger().info("no request")
    first, second = lines(logs, output)
    assert (first["event"], first["level"], first["request_id"], first["flow"]) == ("flow gone", "warning", "r-1", "f")
    assert first["time"].endswith("Z")
    assert "request_id" not in second


def test_levels(start: Callable[..., tuple[Logs, io.StringIO]]) -> None:
    logs, output = start("json", "warning")
    structlog.get_logger().info("quiet")
    structlog.get_logger().error("loud")
    assert [line["event"] for line in lines(logs, output)] == ["loud"]


def test_exceptions_are_one_line(start: Callable[..., tuple[Logs, io.StringIO]]) -> None:
    logs, output = start()
    structlog.get_logger().error("failed", exc_info=ValueError("cause"))
    (line,) = lines(logs, output)
    assert "ValueError: cause" in line["exception"]


def test_the_standard_librarys_loggers_are_of_the_same_form(start: Callable[..., tuple[Logs, io.StringIO]]) -> None:
    logs, output = start()
    standard.getLogger("asyncio").warning("slow %s", "callback")
    standard.getLogger("asyncio").info("chatter")
    (line,) = lines(logs, output)
    assert (line["event"], line["level"]) == ("slow callback", "warning")


def test_pretty_is_for_eyes(start: Callable[..., tuple[Logs, io.StringIO]]) -> None:
    logs, output = start("pretty")
    structlog.get_logger().info("hello", flow="f")
    logs.writer.flush()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[info +\] hello +flow=f\n", output.getvalue())


def test_auto_is_json_where_there_is_no_terminal(start: Callable[..., tuple[Logs, io.StringIO]]) -> None:
    logs, output = start("auto")
    assert not logs.pretty
    structlog.get_logger().info("x")
    assert lines(logs, output)


def test_ready_lines_go_the_same_way(start: Callable[..., tuple[Logs, io.StringIO]]) -> None:
    logs, output = start()
    write, pretty = line_output()
    structlog.get_logger().info("first")
    write('{"event":"second"}')
    assert [line["event"] for line in lines(logs, output)] == ["first", "second"]
    assert not pretty


def test_lines_come_out_without_asking() -> None:
    class Output(io.StringIO):
        written = threading.Event()

        def flush(self) -> None:
            self.written.set()

    output = Output()
    writer = LineWriter(output)
    writer.write("a")
    assert Output.written.wait(PATIENCE)
    assert output.getvalue() == "a\n"
    writer.close()


def test_closing_writes_what_waits() -> None:
    output = io.StringIO()
    writer = LineWriter(output)
    for number in range(1000):
        writer.write(str(number))
    writer.close()
    assert output.getvalue().splitlines() == [str(number) for number in range(1000)]


def test_nobody_waits_for_an_output_that_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "MAX_WAITING", 10)
    go_on, stuck = threading.Event(), threading.Event()

    class Blocked(io.StringIO):
        def write(self, text: str) -> int:
            stuck.set()
            go_on.wait()
            return super().write(text)

    output = Blocked()
    writer = LineWriter(output)
    writer.write("first")
    stuck.wait()
    for number in range(100):
        writer.write(str(number))
    go_on.set()
    writer.close()
    written = output.getvalue().splitlines()
    assert written[:2] == ["first", "0"]
    assert json.loads(written[-1])["count"] == 90


def test_a_closed_output_is_no_error() -> None:
    output = io.StringIO()
    writer = LineWriter(output)
    output.close()
    writer.write("x")
    writer.close()


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ""),
        ("limit=3&timerange=%5B0:0_1:0)", "limit=3&timerange=%5B0:0_1:0)"),
        ("access_token=abc&limit=3", "access_token=…&limit=3"),
        ("a=%20&access%5Ftoken=abc", "a=%20&access%5Ftoken=…"),
        ("a=b&ACCESS_TOKEN=abc", "a=b&ACCESS_TOKEN=…"),
        ("expires=1&signature=abc", "expires=1&signature=…"),
        ("X-Amz-Signature=abc&X-Amz-Date=1", "X-Amz-Signature=…&X-Amz-Date=1"),
        ("label=access_token", "label=access_token"),
        ("access_token", "access_token"),
    ],
)
def test_secrets_are_not_shown(query: str, shown: str) -> None:
    assert redacted(query) == shown
