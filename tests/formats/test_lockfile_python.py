import pytest

from keepwall.formats.lockfile import Locked
from keepwall.formats.lockfile_kinds import lock_reader
from keepwall.vocabulary.errors import FormatError


def read(name, text):
    return list(lock_reader(name)(text.encode()))


def test_uv():
    text = (
        'version = 1\nrequires-python = ">=3.11"\n\n'
        '[[package]]\nname = "app"\nversion = "0.1.0"\nsource = { editable = "." }\n\n'
        '[[package]]\nname = "torch"\nversion = "2.5.1"\n'
        'source = { registry = "https://pypi.org/simple" }\n'
        'sdist = { url = "https://x/torch.tar.gz", hash = "sha256:aa" }\n\n'
        '[[package]]\nname = "Flash_Attn"\nversion = "2.7"\n'
        'source = { git = "https://github.com/x/flash?rev=v1#abc" }\n'
    )
    assert read("uv.lock", text) == [
        Locked("pypi", "torch", "2.5.1", hashed=True, source="", line=9),
        Locked(
            "pypi",
            "flash-attn",
            "2.7",
            hashed=False,
            source="git+https://github.com/x/flash?rev=v1#abc",
            line=15,
        ),
    ]


def test_poetry_with_hashes_in_the_package_or_at_the_end():
    new = (
        '[[package]]\nname = "openai"\nversion = "1.2"\nfiles = [\n'
        '    {file = "a.whl", hash = "sha256:00"},\n]\n\n'
        '[[package]]\nname = "own"\nversion = "1"\nfiles = []\n\n[package.source]\n'
        'type = "directory"\nurl = "../own"\n\n'
        '[[package]]\nname = "peft"\nversion = "0.1"\nfiles = []\n\n[package.source]\n'
        'type = "git"\nurl = "https://github.com/h/peft"\nresolved_reference = "ab"\n'
    )
    found = read("poetry.lock", new)
    assert [(each.name, each.hashed, each.source) for each in found] == [
        ("openai", True, ""),
        ("peft", False, "git+https://github.com/h/peft"),
    ]
    old = (
        '[[package]]\nname = "torch"\nversion = "1.0"\n\n[metadata]\ncontent-hash = "x"\n\n'
        '[metadata.files]\ntorch = [\n    {file = "t.whl", hash = "sha256:00"},\n]\n'
    )
    assert read("poetry.lock", old)[0].hashed


def test_pdm_and_pylock():
    pdm = (
        '[metadata]\nlock_version = "4.5.0"\n\n[[package]]\nname = "vllm"\nversion = "0.6"\n'
        'git = "https://github.com/v/vllm.git"\nrevision = "ab"\n'
    )
    assert read("pdm.lock", pdm)[0].source == "git+https://github.com/v/vllm.git"
    pylock = (
        'lock-version = "1.0"\n\n[[packages]]\nname = "mcp"\nversion = "1.9.0"\n'
        'wheels = [{ name = "m.whl", url = "https://f/m.whl", hashes = { sha256 = "aa" } }]\n\n'
        '[[packages]]\nname = "own"\ndirectory = { path = "." }\n\n'
        '[[packages]]\nname = "trl"\nvcs = { type = "git", url = "https://g/trl", commit-id = "a" }\n\n'
        '[[packages]]\nname = "jax"\n[packages.archive]\nurl = "https://f/jax.zip"\n'
    )
    found = {each.name: each for each in read("pylock.dev.toml", pylock)}
    assert found["mcp"].hashed
    assert found["mcp"].source == ""
    assert found["trl"].source == "git+https://g/trl"
    assert found["jax"].source == "https://f/jax.zip"
    assert "own" not in found


def test_pipfile():
    text = (
        '{"_meta": {"hash": {}},\n"default": {"OpenAI": {"hashes": ["sha256:0"], "version": "==1.2"},'
        '\n"own": {"path": "."},\n"x": {"git": "https://g/x", "ref": "abc"}}, "develop": {}}'
    )
    assert read("pipfile.lock", text) == [
        Locked("pypi", "openai", "1.2", hashed=True, source="", line=2),
        Locked("pypi", "x", "abc", hashed=False, source="git+https://g/x", line=4),
    ]


def test_conda_lock_once_for_all_platforms():
    text = (
        "version: 1\nmetadata:\n  channels:\n  - url: conda-forge\npackage:\n"
        "- name: pytorch\n  version: 2.5.1\n  manager: conda\n  platform: linux-64\n  hash:\n"
        "    md5: aa\n    sha256: bb\n"
        "- name: pytorch\n  version: 2.5.1\n  manager: conda\n  platform: osx-64\n  hash:\n    md5: c\n"
        "- name: openai\n  version: '1.2'\n  manager: pip\n  hash:\n    sha256: bb\n"
    )
    found = read("conda-lock.yml", text)
    assert [(each.ecosystem, each.name, each.version, each.hashed) for each in found] == [
        ("conda", "pytorch", "2.5.1", True),
        ("pypi", "openai", "1.2", True),
    ]


def test_pixi_of_two_versions():
    new = (
        "version: 6\nenvironments:\n  default:\n    packages:\n      linux-64:\n"
        "      - conda: https://c/linux-64/pytorch-cpu-2.5.1-py312_0.conda\n"
        "packages:\n"
        "- conda: https://c/linux-64/pytorch-cpu-2.5.1-py312_0.conda\n  sha256: aa\n"
        "- pypi: https://f/vllm-0.6.0.whl\n  name: vllm\n  version: 0.6.0\n  sha256: bb\n"
        "- pypi: ./\n  name: own\n  version: '1'\n"
    )
    found = read("pixi.lock", new)
    assert [(each.ecosystem, each.name, each.version, each.line) for each in found] == [
        ("conda", "pytorch-cpu", "2.5.1", 8),
        ("pypi", "vllm", "0.6.0", 10),
    ]
    old = "version: 4\npackages:\n- kind: pypi\n  name: torch\n  version: 2.0\n  url: https://f/t.whl\n"
    assert read("pixi.lock", old)[0].name == "torch"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", "<<<<<<< ours\nversion = 1\n"),
        ("uv.lock", "not a lock"),
        ("pipfile.lock", "[]"),
        ("pipfile.lock", '{"_meta": {}, "default": {"x": {"version": 5}}}'),
        ("pipfile.lock", "[" * 100_000),
        ("pixi.lock", "x: 1"),
    ],
)
def test_what_is_no_lock_file_is_named(name, text):
    with pytest.raises(FormatError):
        read(name, text)


def test_a_giant_lock_costs_little_and_an_empty_one_nothing():
    block = '[[package]]\nname = "p{0}"\nversion = "1"\nsource = {{ registry = "r" }}\n\n'
    text = "version = 1\n" + "".join(map(block.format, range(60_000)))
    found = read("uv.lock", text)
    assert len(found) == 60_000
    assert found[-1].line == 2 + 5 * 59_999
    assert read("uv.lock", "") == []
