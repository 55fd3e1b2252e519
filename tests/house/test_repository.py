"""The repository keeps its own rules: names, commands, locks."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import cast

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/pyproject.toml"))
LOCKS = sorted(path.name for path in (ROOT / "requirements").glob("*.txt"))
PAGES = ["README.md", "CONTRIBUTING.md"]


def table(path: Path, *keys: str) -> dict[str, object]:
    """The table under the given keys of a TOML file."""
    found: dict[str, object] = tomllib.loads(path.read_text(encoding="utf-8"))
    for key in keys:
        found = cast("dict[str, object]", found[key])
    return found


def targets() -> set[str]:
    """Every target of the Makefile that has a help text."""
    return set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


def test_the_five_services_are_there() -> None:
    assert SERVICES == ["analytics", "api-gateway", "catalog", "segments", "webhooks"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_follows_the_naming_rule(service: str) -> None:
    package = f"tams_{service.replace('-', '_')}"
    folder = ROOT / "services" / service
    assert table(folder / "pyproject.toml", "project")["name"] == f"tams-{service}"
    assert table(folder / "pyproject.toml", "project", "entry-points", "tams.services") == {
        service: f"{package}.service:SERVICE"
    }
    assert (folder / package / "__init__.py").is_file()
    assert (folder / package / "py.typed").is_file()
    assert f"{service}.txt" in LOCKS


def test_every_project_supports_the_same_versions_and_has_the_same_licence() -> None:
    projects = [
        *ROOT.glob("services/*/pyproject.toml"),
        *(ROOT / part / "pyproject.toml" for part in ("libs", "demo", "bench")),
    ]
    stated = {(p["requires-python"], p["license"], p["version"]) for p in (table(path, "project") for path in projects)}
    assert len(projects) == 8
    assert stated == {(">=3.11,<3.14", "Apache-2.0", "0.1.0")}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_address_no_path_and_no_project_of_ours(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^(-|\.|/|tams-)", text, flags=re.MULTILINE)
    assert not re.search(r"(^|[\s(])/\w", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_in_a_lock_is_pinned_with_hashes(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    pins = re.findall(
        r"^[a-z0-9][^\n]*(?:\\\n {4}--hash=sha256:[0-9a-f]{64}[^\n]*)+", text.replace(" \\\n", "\\\n"), re.MULTILINE
    )
    assert len(pins) == len(re.findall(r"^[a-z0-9]", text, flags=re.MULTILINE))
    assert all(re.match(r"[a-z0-9._-]+==[^\s\\]+", pin) for pin in pins)


def test_the_gateways_image_holds_no_database() -> None:
    text = (ROOT / "requirements" / "api-gateway.txt").read_text(encoding="utf-8")
    assert not re.search(r"^(vastdb|pyarrow|aiokafka|aioboto3|botocore)==", text, flags=re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_every_make_command_that_a_page_shows_exists(page: str) -> None:
    commands = set(
        re.findall(r"^(?: {4}|\$ |`)*make ([a-z-]+)", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    )
    commands |= set(re.findall(r"`make ([a-z-]+)", (ROOT / page).read_text(encoding="utf-8")))
    assert commands
    assert commands <= targets()


def test_the_readme_shows_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make run" in text
    assert "make test" in text


def test_make_alone_prints_every_target() -> None:
    shown = subprocess.run(
        ["make", "-C", str(ROOT), "--no-print-directory"], capture_output=True, text=True, check=True
    )
    printed = set(re.findall(r"^  ([a-z-]+) ", shown.stdout, flags=re.MULTILINE))
    assert printed == targets()
    start, quality, upkeep = {"setup", "run", "test", "demo"}, {"check", "fmt", "fuzz", "bench"}, {"lock", "clean"}
    assert targets() == start | quality | upkeep | {"chaos", "conformance", "kafka", "seaweedfs", "vast-sdk-suite"}


def test_decisions_are_numbered_without_gaps_and_named_as_what_is_done() -> None:
    names = sorted(path.name for path in (ROOT / "docs" / "adr").glob("*.md"))
    assert all(re.fullmatch(r"\d{4}(-[a-z0-9]+){2,}\.md", name) for name in names)
    assert [int(name[:4]) for name in names] == list(range(len(names)))
