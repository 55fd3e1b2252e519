"""What a newcomer meets at the start, and what stops one."""

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tams_common.config import Common
from tams_common.runtime import registry
from tams_common.runtime.manual import meanings
from tests.common.eventually import eventually
from tests.stores import SCRIPT, on_sqlite_files
from tests.system import processes, words
from tests.system.api import Api
from tests.system.assemblies import VANISHING
from tests.system.processes import TOKEN

HEAVY = ("pyarrow", "aiokafka", "aioboto3", "vastdb")


async def python(code: str) -> str:
    """Runs `code` in a fresh interpreter that knows nothing of this one's store; its output."""
    interpreter = str(Path(SCRIPT).with_name("python"))
    child = await asyncio.create_subprocess_exec(
        interpreter, "-c", code, stdout=asyncio.subprocess.PIPE, env=processes.clean_environment({})
    )
    output, _ = await child.communicate()
    assert child.returncode == 0
    return output.decode()


async def test_the_three_curl_lines_work_when_pasted(tmp_path: Path) -> None:
    async with processes.dev(tmp_path / "data") as child:
        for line in await child.curl_lines():
            shell = await asyncio.create_subprocess_shell(
                f"{line} -s -o /dev/null -w '%{{http_code}}'", stdout=asyncio.subprocess.PIPE
            )
            status, _ = await shell.communicate()
            assert status.decode() in ("200", "201"), line


async def test_the_token_is_made_once_and_kept(tmp_path: Path) -> None:
    status, first = await processes.run("token", "--data", str(tmp_path))
    assert status == 0
    assert await processes.run("token", "--data", str(tmp_path)) == (0, first)
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


async def test_a_token_that_cannot_be_kept_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, output = await processes.run("token", "--data", str(tmp_path / "file" / "data"))
    assert status == 1
    assert re.fullmatch(r"Error: the token .* cannot be kept: Not a directory\n", output)


async def test_data_outlive_a_restart(tmp_path: Path) -> None:
    async with processes.dev(tmp_path / "data") as child, Api(child.url, TOKEN) as api:
        flow = await words.make_flow(api)
        ids = await words.fill(api, flow, count=3)
        assert await child.stop() == 0
    async with processes.dev(tmp_path / "data") as child, Api(child.url, TOKEN) as api:
        assert [item["object_id"] for item in await api.all(f"/flows/{flow}/segments")] == ids


@on_sqlite_files
async def test_a_store_without_its_bus_stops_and_says_so_in_one_line(tmp_path: Path) -> None:
    async with processes.dev(tmp_path / "data") as child, Api(child.url, TOKEN) as api:
        await words.make_flow(api)
        await eventually(lambda: has_read(tmp_path / "data" / "webhooks.sqlite"))
    for path in (tmp_path / "data").glob("bus.sqlite*"):
        path.unlink()
    async with processes.dev(tmp_path / "data") as child:
        assert await child.process.wait() == 1
    told = r"Error: stopped: tams\.\w+ has read tams\.\w+ up to \d+, but the bus ends at 0: it is another one\n"
    assert re.search(told, child.log.read_text())
    assert "Traceback" not in child.log.read_text()


def has_read(tables: Path) -> bool:
    """Whether the service of `tables` has read anything from the bus."""
    with closing(sqlite3.connect(tables)) as connection:
        return bool(connection.execute("SELECT 1 FROM positions").fetchone())


async def test_a_second_store_on_a_data_directory_says_so_and_stops(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with processes.dev(data):
        status, output = await processes.run("dev", "--listen", "127.0.0.1:0", "--data", str(data))
        assert status == 1
        assert re.search(rf"another `tams dev` \(process \d+\) uses the data directory {data}", output)
        assert "Traceback" not in output


async def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    async with processes.dev(tmp_path / "data") as child:
        listen = child.url.removeprefix("http://")
        status, output = await processes.run("dev", "--listen", listen, "--data", str(tmp_path / "other"))
        assert status == 1
        assert f"cannot listen on {listen}" in output
        assert "Traceback" not in output


@on_sqlite_files
async def test_data_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with processes.dev(data):
        pass
    with closing(sqlite3.connect(data / "segments.sqlite")) as db:
        db.execute("UPDATE _tams_tables SET version = version + 1 WHERE name = 'segments'")
        db.commit()
    status, output = await processes.run("dev", "--listen", "127.0.0.1:0", "--data", str(data))
    assert status == 1
    assert "newer" in output
    assert "segments" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("TAMS_COLOUR", "red"),
        ("TAMS_SEGMENTS_COLOUR", "red"),
        ("TAMS_MIN_OBJECT_TIMEOUT", "5"),
        ("TAMS_MIN_OBJECT_TIMEOUT", "99999999999999"),
        ("TAMS_SEGMENTS_COLLECT_INTERVAL", "nan"),
        ("TAMS_CATALOG_DELETION_SWEEP", "inf"),
        ("TAMS_LISTEN", "nowhere"),
        ("TAMS_STORE_URL", "tape:0"),
        ("TAMS_MAX_LIMIT", "many"),
    ],
)
async def test_a_wrong_key_stops_the_start_and_is_named(tmp_path: Path, key: str, value: str) -> None:
    environ = {key: value}
    status, output = await processes.run("dev", "--data", str(tmp_path), environ=environ)
    assert status == 1
    assert key in output
    assert "Traceback" not in output


async def test_what_others_put_into_the_environment_is_ignored(tmp_path: Path) -> None:
    environ = {"TAMS_CATALOG_SERVICE_HOST": "10.0.0.1", "TAMS_CATALOG_PORT": "tcp://10.0.0.1:80", "TAMS_TEST_SPEC": "/"}
    arguments = ("dev", "--listen", "127.0.0.1:0", "--data", str(tmp_path))
    async with processes.tams(*arguments, log=tmp_path / "log", environ=environ) as child:
        assert child.url


async def test_a_gateway_without_tokens_does_not_start() -> None:
    status, output = await processes.run("run", "api-gateway", "--listen", "127.0.0.1:0")
    assert status == 1
    assert "TAMS_API_GATEWAY_TOKENS_FILE" in output


async def test_an_unknown_service_is_told_which_exist() -> None:
    status, output = await processes.run("run", "kitchen")
    assert status == 1
    assert "catalog" in output


async def test_services_prints_every_key_with_its_default_and_its_meaning() -> None:
    status, output = await processes.run("services")
    assert status == 0
    assert "  TAMS_DEFAULT_LIMIT [30]\n  TAMS_MAX_LIMIT [1000]\n      items on a page" in output
    assert "  TAMS_PUBLIC_URL [empty]\n      the address under which clients reach the gateway" in output


@pytest.mark.parametrize("kind", [Common, *(service.config for service in registry.load_all())])
def test_every_key_is_explained(kind: type[msgspec.Struct]) -> None:
    assert set(meanings(kind)) == set(kind.__struct_fields__)


async def test_the_gateway_imports_no_database_and_no_bus() -> None:
    code = f"""
import asyncio, sys
from tams_common.runtime import registry
from tams_common.runtime.host import Host
async def main():
    environ = {{"TAMS_LISTEN": "127.0.0.1:0", "TAMS_API_GATEWAY_TOKEN": "x"}}
    host = Host([registry.load("api-gateway")], environ)
    await host.start()
    await host.stop()
asyncio.run(main())
print(*(name for name in ("sqlite3", *{HEAVY!r}) if name in sys.modules))
"""
    assert (await python(code)).strip() == ""


async def test_the_embedded_store_imports_nothing_heavy() -> None:
    code = f"""
import asyncio, sys
from tams_common.http.message import Request
from tams_common.runtime import registry
from tams_common.runtime.host import Host
async def main():
    host = Host(registry.load_all(), {VANISHING!r}, migrate=True)
    await host.start()
    assert (await host.app(Request("GET", "/docs"))).status == 200
    await host.stop()
asyncio.run(main())
print("imported", *(name for name in {HEAVY!r} if name in sys.modules))
"""
    assert (await python(code)).splitlines()[-1] == "imported"
