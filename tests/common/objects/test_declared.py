"""Storage files: what is wrong in one stops the start, with the file and the key."""

from pathlib import Path

import pytest

from tams_common.errors import StartRefused
from tams_common.objects import Backend, Offered
from tams_common.objects.declared import LocalBackend, S3Backend, read_backends
from tests.conformance import rule

ONE = "0f0f0f0f-6d5b-4a0a-9f25-0f0c5e4f1b7a"
OTHER = "1f0f0f0f-6d5b-4a0a-9f25-0f0c5e4f1b7a"
LEAST = f'[[backend]]\nkind = "s3"\nid = "{ONE}"\nbucket = "media"\n'
WHOLE = f"""
[[backend]]
kind = "local"
id = "{OTHER}"
label = "workstation"
directory = "/var/media"
size_limit = 1_000_000

[[backend]]
kind = "s3"
id = "{ONE}"
label = "london"
default = true
bucket = "media"
prefix = "tams/one/"
endpoint = "http://10.0.0.1:9000/"
public_endpoint = "https://media.example"
plain_url = "https://cdn.example/"
addressing = "path"
region = "eu-west-2"
availability_zone = "b"
credentials = "file:/run/secrets/s3#tams"
provider = "vast"
store_product = "vast-s3"
get_urls = ["presigned", "plain"]
put_urls = ["presigned"]
cors_origins = ["https://player.example"]
connect_timeout = 2
read_timeout = 30.5
attempts = 2
tags = {{ site = "london", use = ["hot", "edit"] }}
"""


def refused(tmp_path: Path, text: str) -> str:
    """Why a file stops the start."""
    path = tmp_path / "storage.toml"
    path.write_text(text)
    with pytest.raises(StartRefused) as caught:
        read_backends(path)
    assert str(path) in caught.value.detail
    return caught.value.detail.replace(str(path), "FILE")


@rule("STB-1", "STB-2", "STB-3", "STB-5")
def test_a_file_declares_backends_of_all_kinds_the_default_first(tmp_path: Path) -> None:
    path = tmp_path / "storage.toml"
    path.write_text(WHOLE)
    london, workstation = read_backends(path)
    assert isinstance(london, S3Backend)
    assert isinstance(workstation, LocalBackend)
    assert london.backend == Backend(
        id=london.backend.id,
        store_type="http_object_store",
        provider="vast",
        store_product="vast-s3",
        label="london",
        region="eu-west-2",
        availability_zone="b",
        default_storage=True,
        tags={"site": "london", "use": ["hot", "edit"]},
    )
    assert (london.api, london.public) == ("http://10.0.0.1:9000", "https://media.example")
    assert (london.reading, london.writing) == (Offered(plain=True), Offered())
    assert (workstation.backend.provider, workstation.backend.default_storage) == ("local", False)
    assert workstation.size_limit == 1_000_000


def test_little_needs_to_be_said_of_a_bucket_at_aws(tmp_path: Path) -> None:
    path = tmp_path / "storage.toml"
    path.write_text(LEAST + 'region = "eu-west-2"\n')
    (found,) = read_backends(path)
    assert isinstance(found, S3Backend)
    assert found.public == found.api == "https://s3.eu-west-2.amazonaws.com"
    assert (found.backend.provider, found.backend.store_product, found.backend.label) == ("aws", "s3", None)
    assert found.credentials == "chain"


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('buckt = "media"', "buckt"),
        ("attempts = 0", "attempts"),
        ('attempts = "2"', "attempts"),
        ("read_timeout = 0", "read_timeout"),
        ('addressing = "both"', "addressing"),
        ('get_urls = ["signed"]', "get_urls"),
        ("put_urls = []", "put_urls"),
        ('endpoint = "s3.example"', "endpoint"),
        ('endpoint = "https://s3.example"', "provider"),
        ('endpoint = "https://s3.example"\nprovider = "x"', "store_product"),
        ('public_endpoint = "https://s3.example/?a=b"', "public_endpoint"),
        ('plain_url = "ftp://s3.example"', "plain_url"),
        ('prefix = "a"', "prefix"),
        ('prefix = "/a/"', "prefix"),
        ('prefix = "a/../b/"', "prefix"),
        ('credentials = "secret"', "credentials"),
        ('credentials = "environment:A B"', "credentials"),
        ('label = "a,b"', "label"),
        ('ca_file = "/nowhere/ca.pem"', "ca_file"),
        (f'ca_file = "{__file__}"', "ca_file"),
        ("tags = { a = 3 }", "tags"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, line: str, key: str) -> None:
    assert refused(tmp_path, LEAST + line).startswith(f"storage file FILE, backend 1: key {key}: ") or refused(
        tmp_path, LEAST + line
    ).startswith(f"storage file FILE, backend 1 (a,b): key {key}: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "FILE: key backend: Object missing required field `backend`"),
        ("backend = []", "FILE: key backend: there is none"),
        ("backends = []", "FILE: key backends: Object contains unknown field `backends`"),
        ("[[backend]", "FILE is not TOML"),
        (f'[[backend]]\nid = "{ONE}"', "FILE, backend 1: key kind: "),
        (f'[[backend]]\nkind = "azure"\nid = "{ONE}"', "FILE, backend 1: key kind: "),
        ('[[backend]]\nkind = "s3"\nbucket = "media"', "FILE, backend 1: key id: "),
        (f'[[backend]]\nkind = "s3"\nid = "{ONE}"', "FILE, backend 1: key bucket: "),
        (LEAST.replace("media", "Me_dia"), "FILE, backend 1: key bucket: "),
        (LEAST.replace(ONE, "1"), "FILE, backend 1: key id: "),
        (LEAST + LEAST, f"FILE: key id: '{ONE}' is given to two backends"),
        (LEAST + 'label = "a"\n' + LEAST.replace(ONE, OTHER) + 'label = "a"\n', "FILE: key label: 'a' is given to two"),
        (LEAST + "default = true\n" + LEAST.replace(ONE, OTHER) + "default = true\n", "FILE: key default: one backend"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    assert refused(tmp_path, text).startswith(f"storage file {said}")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match=r"storage file .*none.toml cannot be read"):
        read_backends(tmp_path / "none.toml")
