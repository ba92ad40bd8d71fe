"""What lies in the homes of a host: caches of models, settings of clients, packages."""

import json
import os
import pickle
import time

import pytest
from made_up_host import Host, facts, ids

SECRET = "gh" + "p_" + "KeepwallFixture7Value3For9Detector2T"
HUB = "home/ann/.cache/huggingface/hub"


@pytest.fixture
def host(tmp_path):
    made = Host(tmp_path)
    tmp_path.chmod(0o755)
    (tmp_path / "home/ann").mkdir(parents=True)
    return made


def hub_model(host, name="models--acme--claims-7b"):
    host.write(f"{HUB}/{name}/refs/main", "abc123")
    blob = f"{HUB}/{name}/blobs/{'ab' * 32}"
    host.write(blob, "x" * 1_000)
    snapshot = host.root / HUB / name / "snapshots/abc123"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").symlink_to(f"../../blobs/{'ab' * 32}")
    return snapshot


def test_models_of_the_hub_with_revision_and_size(host):
    hub_model(host)
    found = host.discover()
    (cache,) = facts(found, "cache.model")
    assert (cache["provider"], cache["path"]) == ("huggingface", "/home/ann/.cache/huggingface/hub")
    assert (cache["models"], cache["bytes"], cache["writable"]) == (1, 1_006, False)
    (model,) = [each for each in found.assets if each.kind == "hosted-model"]
    assert model.id == "hosted-model:huggingface/acme/claims-7b"
    assert model.attributes["revision"] == "abc123"


class _Runs:
    def __reduce__(self):
        return os.system, ("true",)


def test_a_cached_file_that_runs_code_is_looked_into_and_not_loaded(host):
    snapshot = hub_model(host)
    (snapshot / "pytorch_model.bin").write_bytes(pickle.dumps(_Runs()))
    (file,) = facts(host.discover(), "model.file")
    assert file["executes"] is True


def test_models_of_ollama_are_those_of_its_manifests(host):
    place = "usr/share/ollama/.ollama/models/manifests/registry.ollama.ai"
    host.write(f"{place}/library/llama3/8b", "{}")
    host.write(f"{place}/library/phi3/latest", "{}")
    host.write(f"{place}/ann/claims/v1", "{}")
    found = host.discover()
    assert ids(found, "hosted-model") == {
        "hosted-model:ollama/llama3:8b",
        "hosted-model:ollama/phi3",
        "hosted-model:ollama/ann/claims:v1",
    }
    assert facts(found, "cache.model")[0]["models"] == 3


def test_a_cache_that_others_may_write_and_one_behind_a_closed_home(host):
    hub_model(host)
    (host.root / HUB).chmod(0o777)
    for folder in (host.root / HUB).parents:
        if folder.is_relative_to(host.root):
            folder.chmod(0o755)
    assert [each["writable"] for each in facts(host.discover(), "cache.model")] == [True]
    (host.root / "home/ann").chmod(0o700)
    assert [each["writable"] for each in facts(host.discover(), "cache.model")] == [False]


def test_a_cache_is_where_the_process_says(host):
    host.process(5, "/usr/bin/ollama", "serve")
    host.write("proc/5/environ", "A=b\0OLLAMA_MODELS=/srv/m\0HF_HOME=relative\0")
    host.write("srv/m/manifests/registry.ollama.ai/library/llama3/latest", "{}")
    assert [each["path"] for each in facts(host.discover(), "cache.model")] == ["/srv/m"]


def test_hostile_homes(host):
    """Links to nothing and to themselves, pipes in the place of files, folders without end."""
    home = host.root / "home/ann"
    (home / ".cache/torch").mkdir(parents=True)
    (home / ".cache/torch/hub").symlink_to("hub")
    (home / ".cache/whisper").symlink_to("/nowhere")
    os.mkfifo(home / ".claude.json")
    os.mkfifo(home / ".cache/vllm")
    (home / ".cursor").symlink_to(".cursor")
    (home / ".gemini").mkdir()
    (home / ".gemini/settings.json").symlink_to("/dev/zero")
    deep = home / ".cache/llama.cpp"
    for _ in range(30):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (home / ".cache/llama.cpp/\x1b[2J.gguf").write_bytes(b"GGUF" + b"\0" * 100)
    os.mkfifo(home / ".cache/llama.cpp/pipe.gguf")
    started = time.monotonic()
    found = host.discover()
    assert time.monotonic() - started < 5
    named = {each.path for each in found.unread}
    assert {"/home/ann/.claude.json", "/home/ann/.gemini/settings.json"} <= named
    assert "\x1b" not in "".join(named)
    assert "\x1b" not in "".join(str(place) for each in found.assets for place in each.locations)


def edges_of(found):
    return {(each.source, each.kind, each.target) for each in found.relations}


def test_clients_with_their_servers_and_what_they_do_unasked(host):
    host.write(
        "home/ann/.codex/config.toml",
        'approval_policy = "never"\nsandbox_mode = "danger-full-access"\n'
        '[mcp_servers.docs]\ncommand = "npx"\nargs = ["-y", "@acme/docs"]\n',
    )
    host.write(
        "home/ann/.config/goose/config.yaml",
        "GOOSE_MODE: auto\nextensions:\n  files: {type: stdio, cmd: uvx, args: [mcp-files]}\n",
    )
    host.write(
        "home/ann/.claude/settings.json",
        json.dumps({"permissions": {"allow": ["Bash(*)"], "deny": ["Read(.env)"]}}),
    )
    host.write(
        "home/ann/.config/Code/User/settings.json", '{"chat.tools.autoApprove": true, // x\n}'
    )
    host.write(
        "home/ann/.config/opencode/opencode.json",
        json.dumps({"mcp": {"x": {"type": "local", "command": ["uvx", "mcp-x", "-v"]}}}),
    )
    host.write(
        "home/ann/.continue/config.yaml",
        "mcpServers:\n  - {name: web, command: npx, args: ['@acme/web@1.2.3']}\n",
    )
    host.write(
        "home/ann/.config/zed/settings.json",
        '{"context_servers": {"z": {"command": {"path": "zs", "args": []}}}}',
    )
    host.write("home/ann/.aider.conf.yml", f"yes-always: true\nopenai-api-key: {SECRET}\n")
    found = host.discover()
    asked = {
        each["client"]: (each["mode"], each["allow"]) for each in facts(found, "agent.permission")
    }
    assert asked == {
        "codex": ("danger-full-access", []),
        "goose": ("autonomous", []),
        "claude-code": ("", ["Bash(*)"]),
        "vscode": ("auto-approve", []),
        "aider": ("auto-approve", []),
    }
    servers = {
        each["client"]: (each["name"], each["pinned"]) for each in facts(found, "mcp.server")
    }
    assert servers == {
        "codex": ("docs", False),
        "goose": ("files", False),
        "opencode": ("x", False),
        "continue": ("web", True),
        "zed": ("z", True),
    }
    agent = "agent:home/ann#codex"
    assert ("host:node-1", "uses", agent) in edges_of(found)
    assert (agent, "uses", "mcp-server:npx @acme/docs") in edges_of(found)
    (secret,) = [each for each in found.facts if each.kind == "secret.present"]
    assert secret.path == "/home/ann/.aider.conf.yml"
    assert SECRET not in repr(found)


def test_settings_behind_links(host):
    """A link is followed to what its owner may read, and to nothing else."""
    host.write("srv/dotfiles/mcp.json", '{"mcpServers": {"a": {"command": "npx", "args": ["x"]}}}')
    host.write("srv/closed.json", '{"mcpServers": {"b": {"command": "npx", "args": ["y"]}}}')
    home = host.root / "home/ann"
    (home / ".cursor").mkdir()
    (home / ".cursor/mcp.json").symlink_to(host.root / "srv/dotfiles/mcp.json")
    (home / ".lmstudio").mkdir()
    (home / ".lmstudio/mcp.json").symlink_to(host.root / "srv/closed.json")
    (home / ".claude.json").symlink_to("nowhere")
    (host.root / "srv/closed.json").chmod(0o600)
    if os.geteuid() == 0:
        os.chown(home / ".lmstudio/mcp.json", 1000, 1000, follow_symlinks=False)
    else:
        (host.root / "srv/closed.json").chmod(0)
    found = host.discover()
    assert [each["name"] for each in facts(found, "mcp.server")] == ["a"]
    assert {each.path for each in found.unread} == {"/home/ann/.lmstudio/mcp.json"}


def test_a_credential_of_a_process_belongs_to_its_one_asset(host):
    host.process(5, "/usr/bin/ollama", "serve", links={"exe": "/usr/bin/ollama"})
    host.write("proc/5/environ", f"GITHUB_TOKEN={SECRET}\0")
    found = host.discover()
    assert ids(found, "process") == {"process:node-1/ollama"}
    (secret,) = [each for each in found.facts if each.kind == "secret.present"]
    assert secret.asset == "process:node-1/ollama"


def test_a_crowded_home_is_bounded_and_named(host):
    for number in range(5_100):
        (host.root / f"home/ann/d{number:05}").mkdir()
    started = time.monotonic()
    found = host.discover()
    assert time.monotonic() - started < 10
    assert [each.path for each in found.unread] == ["/home/ann"]


def test_a_client_that_asks_is_no_news(host):
    host.write("home/ann/.codex/config.toml", 'approval_policy = "on-request"\n')
    host.write("home/ann/.gemini/settings.json", '{"theme": "dark"}')
    found = host.discover()
    assert facts(found, "agent.permission") == []
    assert ids(found, "agent") == set()


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (".codex/config.toml", "a = [" + "[" * 5_000),
        (".config/goose/config.yaml", "a: &a [*a]\nb: {<<: *a}"),
        (".config/goose/config.yaml", "{" * 5_000),
        (".cursor/mcp.json", '{"mcpServers": {"a": {"command": 5, "args": {"x": []}}}}'),
        (".cursor/mcp.json", '{"mcpServers": [[[]], {"name": 5}, {"name": "x", "command": null}]}'),
        (".cursor/mcp.json", "[]"),
        (".claude/settings.json", '{"permissions": {"allow": [1, {}], "defaultMode": ["x"]}}'),
        (".cursor/mcp.json", "\x00"),
    ],
)
def test_hostile_settings(host, path, data):
    host.write(f"home/ann/{path}", data)
    found = host.discover()
    assert {each.path for each in found.unread} <= {f"/home/ann/{path}"}


def test_packages_of_pip_conda_and_npm_each_once(host):
    for name in (
        "home/ann/claims/.venv/lib/python3.11/site-packages/openai-1.0.0.dist-info",
        "home/ann/.local/share/pipx/venvs/aider-chat/lib/python3.12/site-packages/litellm-1.2.dist-info",
        "home/ann/miniconda3/lib/python3.12/site-packages/torch-2.1.0.dist-info",
        "home/ann/miniconda3/conda-meta",
    ):
        (host.root / name).mkdir(parents=True)
    host.write("home/ann/miniconda3/conda-meta/torch-2.1.0-py312_0.json", "{}")
    host.write("home/ann/miniconda3/conda-meta/faiss-cpu-1.9.0-h0_0.json", "{}")
    host.write(
        "usr/lib/node_modules/@anthropic-ai/claude-code/package.json", '{"version": "2.0.1"}'
    )
    host.write("usr/lib/node_modules/left-pad/package.json", "{}")
    (host.root / "usr/lib/node_modules/ollama").mkdir()
    os.mkfifo(host.root / "usr/lib/node_modules/ollama/package.json")
    (host.root / "home/ann/loop").symlink_to(".")
    found = {
        (each["ecosystem"], each["name"], each["version"])
        for each in facts(host.discover(), "package.installed")
    }
    assert found == {
        ("pypi", "openai", "1.0.0"),
        ("pypi", "litellm", "1.2"),
        ("pypi", "torch", "2.1.0"),
        ("conda", "faiss-cpu", "1.9.0"),
        ("npm", "@anthropic-ai/claude-code", "2.0.1"),
        ("npm", "ollama", ""),
    }
