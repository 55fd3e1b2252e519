"""The bench of presigned URLs: ours and botocore's for the same objects, one by one, and a page's worth of them."""

import asyncio
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import botocore.session
from botocore.config import Config
from rich.status import Status

from tams_bench.measure import Figure, Measure, Pair, interleave
from tams_bench.report import Report
from tams_common.objects.s3.presign import DayKeys, Keys, Moment, Presigner, address

ENDPOINT: Final = "https://s3.eu-west-2.amazonaws.com"
BUCKET: Final = "tams-media"
REGION: Final = "eu-west-2"
TYPE: Final = "video/mp2t"
PAGE: Final = 300
LASTING: Final = 450
KEYS: Final = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TITLE: Final = "TAMS bench: presigned URLs of S3"
LIBRARIES: Final = ("botocore", "aioboto3")
METHOD: Final = """\
URLs for reading and for writing are signed for fresh object ids, by our own signer and by botocore's
`generate_presigned_url` on a client that is warm; that both give the same URLs is a test. The page is what a list of
{page} segments needs: a signer is made for it, then signs each URL. Each figure is the median of the ratios of {rounds}
rounds in which ours and the reference are measured next to each other.
"""


def run(*, quick: bool, rounds: int, status: Status, scratch: Path) -> Report:
    """Measures in this process; nothing is asked of a network."""
    figures = asyncio.run(measure(0.02 if quick else 0.5, rounds=rounds, status=status))
    return Report(TITLE, METHOD.format(page=PAGE, rounds=rounds), LIBRARIES, figures)


async def measure(seconds: float, *, rounds: int, status: Status) -> list[Figure]:
    """Each measure takes `seconds`."""
    theirs = _botocore()

    def named() -> dict[str, str]:
        return {"Bucket": BUCKET, "Key": str(uuid.uuid4())}

    def their_get() -> None:
        theirs.generate_presigned_url("get_object", Params=named(), ExpiresIn=LASTING)

    def their_put() -> None:
        theirs.generate_presigned_url("put_object", Params=named() | {"ContentType": TYPE}, ExpiresIn=LASTING)

    signer = _signer(DayKeys())
    pairs = [
        _rates("URL for reading", lambda: signer.get_url(str(uuid.uuid4())), theirs=their_get, seconds=seconds),
        _rates("URL for writing", lambda: signer.put_url(str(uuid.uuid4()), TYPE), theirs=their_put, seconds=seconds),
        _page(theirs),
    ]
    return await interleave(pairs, rounds, progress=status.update)


def _rates(name: str, ours: Callable[[], object], *, theirs: Callable[[], object], seconds: float) -> Pair:
    return Pair(
        name=name,
        ours=_rate(ours, seconds),
        reference=_rate(theirs, seconds),
        unit="URLs/s",
        wanted=30,
        against="botocore",
    )


def _page(theirs: Any) -> Pair:  # noqa: ANN401 — botocore has no types
    """The time for a page: the day's key is known, the moment is new."""
    day_keys = DayKeys()
    names = [str(uuid.uuid4()) for _ in range(PAGE)]

    def ours() -> None:
        list(map(_signer(day_keys).get_url, names))

    def reference() -> None:
        for name in names:
            theirs.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": name}, ExpiresIn=LASTING)

    return Pair(
        name=f"page of {PAGE} URLs",
        ours=_took(ours),
        reference=_took(reference),
        unit="s",
        wanted=0.05,
        at_least=False,
        against="botocore",
    )


def _signer(day_keys: DayKeys) -> Presigner:
    moment = Moment(int(time.time()), LASTING, REGION)
    return Presigner(address(ENDPOINT, BUCKET, virtual=True), KEYS, moment=moment, day_keys=day_keys)


def _botocore() -> Any:  # noqa: ANN401 — botocore has no types
    session = botocore.session.Session()
    session.set_credentials(KEYS.access_key, KEYS.secret_key)
    config = Config(
        signature_version="s3v4", s3={"addressing_style": "virtual"}, request_checksum_calculation="when_required"
    )
    return session.create_client("s3", endpoint_url=ENDPOINT, region_name=REGION, config=config)


def _rate(operation: Callable[[], object], seconds: float) -> Measure:
    async def measure() -> float:
        begin, done = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - begin) < seconds:
            operation()
            done += 1
        return done / elapsed

    return measure


def _took(operation: Callable[[], object]) -> Measure:
    async def measure() -> float:
        begin = time.perf_counter()
        operation()
        return time.perf_counter() - begin

    return measure
