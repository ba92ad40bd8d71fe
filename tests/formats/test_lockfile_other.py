import json

import pytest

from keepwall.formats.lockfile import Locked
from keepwall.formats.lockfile_kinds import lock_reader
from keepwall.formats.manifest import read_cargo, read_go_mod
from keepwall.vocabulary.errors import FormatError


def read(name, text):
    return list(lock_reader(name)(text.encode()))


def test_cargo():
    text = (
        "version = 4\n\n"
        '[[package]]\nname = "app"\nversion = "0.1.0"\n\n'
        '[[package]]\nname = "async-openai"\nversion = "0.28.0"\n'
        'source = "registry+https://github.com/rust-lang/crates.io-index"\nchecksum = "aa"\n\n'
        '[[package]]\nname = "candle-core"\nversion = "0.8"\n'
        'source = "git+https://github.com/h/candle#abc"\n'
    )
    assert read("cargo.lock", text) == [
        Locked("cargo", "async-openai", "0.28.0", hashed=True, source="", line=7),
        Locked(
            "cargo",
            "candle-core",
            "0.8",
            hashed=False,
            source="git+https://github.com/h/candle#abc",
            line=13,
        ),
    ]


def test_go():
    text = (
        "github.com/tmc/langchaingo v0.1.13 h1:rcp=\ngithub.com/tmc/langchaingo v0.1.13/go.mod h1:vp=\n"
        "golang.org/x/net v0.1.0/go.mod h1:x=\n"
    )
    assert read("go.sum", text) == [
        Locked("golang", "github.com/tmc/langchaingo", "v0.1.13", hashed=True, source="", line=1)
    ]


def test_bundler():
    text = (
        "GIT\n  remote: https://github.com/x/raix\n  revision: abc\n  specs:\n    raix (1.0)\n\n"
        "PATH\n  remote: .\n  specs:\n    own (1.0)\n\n"
        "GEM\n  remote: https://rubygems.org/\n  specs:\n    ruby-openai (7.0.1)\n"
        "      faraday (>= 1)\n\nDEPENDENCIES\n  ruby-openai\n\n"
        "CHECKSUMS\n  ruby-openai (7.0.1) sha256=aa\n"
    )
    found = read("gemfile.lock", text)
    assert [(each.name, each.version, each.hashed, each.source, each.line) for each in found] == [
        ("raix", "1.0", False, "git+https://github.com/x/raix", 5),
        ("ruby-openai", "7.0.1", True, "", 15),
    ]


def test_composer_gradle_and_nuget():
    composer = json.dumps(
        {
            "packages": [
                {
                    "name": "openai-php/client",
                    "version": "v1",
                    "dist": {"type": "zip", "shasum": "a"},
                },
                {"name": "x/own", "version": "1", "dist": {"type": "path", "url": ".."}},
            ],
            "packages-dev": [
                {"name": "x/git", "version": "1", "source": {"type": "git", "url": "https://g/x"}}
            ],
        }
    )
    assert [(each.name, each.hashed, each.source) for each in read("composer.lock", composer)] == [
        ("openai-php/client", True, ""),
        ("x/git", False, "git+https://g/x"),
    ]
    gradle = "# generated\ndev.langchain4j:langchain4j:1.0.0=runtimeClasspath\nempty=\n"
    assert read("gradle.lockfile", gradle) == [
        Locked("maven", "dev.langchain4j/langchain4j", "1.0.0", hashed=False, source="", line=2)
    ]
    package = {"type": "Direct", "resolved": "2.0.0", "contentHash": "x"}
    nuget = {
        "version": 1,
        "dependencies": {
            "net8.0": {"OpenAI": package, "Own": {"type": "Project"}},
            "net9.0": {"OpenAI": package},
        },
    }
    found = read("packages.lock.json", json.dumps(nuget))
    assert [(each.ecosystem, each.name, each.version) for each in found] == [
        ("nuget", "openai", "2.0.0")
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cargo.lock", "x"),
        ("composer.lock", '{"packages": 5}'),
        ("packages.lock.json", "[" * 5_000),
        ("gradle.lockfile", "a:b:1=x"),
    ],
)
def test_what_is_no_lock_file_is_named(name, text):
    with pytest.raises(FormatError):
        read(name, text)


def test_manifests_of_cargo_and_go():
    cargo = (
        '[dependencies]\nasync-openai = "0.28"\nserde = { version = "=1.0.1" }\nown = { path = "x" }\n'
        'core = { package = "candle-core", git = "https://g", rev = "abc" }\n'
        '[workspace.dependencies]\nort = "2"\n[target."cfg(unix)".dependencies]\ntch = "0.1"\n'
    )
    assert [(each.name, each.version, each.pinned, each.line) for each in read_cargo(cargo)] == [
        ("async-openai", "0.28", False, 2),
        ("serde", "1.0.1", True, 3),
        ("candle-core", "", True, 5),
        ("ort", "2", False, 7),
        ("tch", "0.1", False, 9),
    ]
    go = (
        "module x\n\ngo 1.24\n\nrequire github.com/ollama/ollama v0.5.0\nrequire (\n"
        "\tgithub.com/tmc/langchaingo v0.1.13\n\tgolang.org/x/net v0.1 // indirect\n)\n"
        "replace (\n\tgithub.com/a/b v1 => ../b\n)\n"
    )
    assert [(each.name, each.version, each.line) for each in read_go_mod(go)] == [
        ("github.com/ollama/ollama", "v0.5.0", 5),
        ("github.com/tmc/langchaingo", "v0.1.13", 7),
    ]
