"""The canonical-key table: the same thing seen twice is one asset."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keepwall.vocabulary.asset import (
    KEY_TABLE,
    Asset,
    AssetKind,
    Location,
    asset_id,
    canonical_key,
)
from keepwall.vocabulary.surface import Surface

SAME = [
    (AssetKind.IMAGE, "nginx", "docker.io/library/nginx:latest"),
    (AssetKind.IMAGE, "docker.io/nginx", "nginx:latest"),
    (AssetKind.IMAGE, "vllm/vllm-openai", "docker.io/vllm/vllm-openai:latest"),
    (AssetKind.IMAGE, "r.io/a@SHA256:AB", "sha256:ab"),
    (AssetKind.ENDPOINT, "HTTP://Model.Internal/v1/", "http://model.internal:80/v1"),
    (AssetKind.ENDPOINT, "https://u:p@h/x?key=1#f", "https://h:443/x"),
    (AssetKind.ENDPOINT, "h:8080", "http://h:8080"),
    (AssetKind.NOTEBOOK, "./a//b.ipynb", "a/b.ipynb"),
    (AssetKind.NOTEBOOK, "a\\b.ipynb", "a/b.ipynb"),
    (AssetKind.HOSTED_MODEL, "OpenAI/GPT-4o", "openai/gpt-4o"),
    (AssetKind.MCP_SERVER, "npx   -y  pkg", "npx -y pkg"),
    (AssetKind.MCP_SERVER, "HTTPS://Mcp.Example/", "https://mcp.example:443"),
    (AssetKind.HOST, "Node-1", "node-1"),
    (AssetKind.PROCESS, "Node-1/usr/bin/X", "node-1/usr/bin/X"),
]
DIFFERENT = [
    (AssetKind.IMAGE, "registry:5000/app", "registry/app"),
    (AssetKind.IMAGE, "app:1", "app:2"),
    (AssetKind.ENDPOINT, "http://h:80", "https://h:443"),
    (AssetKind.ENDPOINT, "http://[::1]:8000", "http://127.0.0.1:8000"),
    (AssetKind.NOTEBOOK, "a.ipynb", "A.ipynb"),
]


@pytest.mark.parametrize(("kind", "one", "two"), SAME)
def test_one_thing_has_one_key(kind: AssetKind, one: str, two: str) -> None:
    assert asset_id(kind, one) == asset_id(kind, two)


@pytest.mark.parametrize(("kind", "one", "two"), DIFFERENT)
def test_different_things_keep_different_keys(kind: AssetKind, one: str, two: str) -> None:
    assert asset_id(kind, one) != asset_id(kind, two)


def test_every_kind_has_its_row() -> None:
    assert set(KEY_TABLE) == set(AssetKind)


_ODD = st.text(alphabet="aZ1:/[]@ .-#?%\\~", max_size=25) | st.from_regex(r"[a-z]+://.{0,12}")


@settings(max_examples=1000)
@given(kind=st.sampled_from(AssetKind), raw=st.text(max_size=60) | _ODD)
@example(AssetKind.MCP_SERVER, "bash -c curl -s https://h/x")
@example(AssetKind.ENDPOINT, "http://[")
def test_keys_are_canonical_once_and_for_all(kind: AssetKind, raw: str) -> None:
    once = canonical_key(kind, raw)
    assert canonical_key(kind, once) == once


def test_forty_sightings_are_one_asset_with_forty_locations() -> None:
    found = Asset(AssetKind.IMAGE, "nginx", "nginx", Surface.PIPELINE)
    for number in range(1, 41):
        seen = Asset(
            AssetKind.IMAGE,
            "docker.io/library/nginx:latest",
            "nginx",
            Surface.PIPELINE,
            (Location("Dockerfile", number),),
        )
        assert seen.id == found.id
        found = found.merged(seen)
    assert len(found.locations) == 40


def test_credentials_never_become_identity() -> None:
    assert "secret" not in asset_id(AssetKind.ENDPOINT, "https://user:secret@h/?token=secret")
