import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from tams_api_gateway.config import ApiGatewayConfig
from tams_api_gateway.service import SERVICE
from tams_common.bus import Bus
from tams_common.clock import system_clock
from tams_common.config import Common
from tams_common.errors import StartRefused
from tams_common.http.transport import MemoryTransport
from tams_common.ids import new_id
from tams_common.runtime.service import Parts
from tams_common.store import Store
from tests.api_gateway.gateways import mirror
from tests.common.http_client import Client


def parts() -> Parts:
    return Parts(
        common=Common(),
        store=cast(Store, None),
        bus=cast(Bus, None),
        objects=(),
        peers={name: MemoryTransport(mirror) for name in SERVICE.peers},
        clock=system_clock,
        new_id=new_id,
        registry=CollectorRegistry(),
    )


def client(config: ApiGatewayConfig, token: str) -> Client:
    app = SERVICE.build(config, parts()).app
    assert app is not None
    return Client(app, token=token)


async def test_the_development_token_opens_everything() -> None:
    config = ApiGatewayConfig(token="dev")
    await client(config, "dev").post("/service", {}, expect=200)
    await client(config, "other").get("/service", expect=401)


async def test_a_tokens_file_opens_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("0123456789abcdef reader tams-api/read\n", "utf-8")
    config = ApiGatewayConfig(tokens_file=str(path))
    assert (await client(config, "0123456789abcdef").get("/flows")).json()["subject"] == "reader"
    await client(config, "0123456789abcdef").delete("/flows/x", expect=403)


def test_without_any_token_it_does_not_start() -> None:
    with pytest.raises(StartRefused, match="TAMS_API_GATEWAY_TOKENS_FILE"):
        SERVICE.build(ApiGatewayConfig(), parts())


def test_it_keeps_nothing() -> None:
    """The process of a gateway loads no database, broker or columnar library."""
    code = (
        "import sys, tams_common.runtime.cli, tams_common.runtime.host, tams_api_gateway.service\n"
        "print(*sorted({'sqlite3', 'aiokafka', 'vastdb', 'pyarrow', 'aioboto3'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
