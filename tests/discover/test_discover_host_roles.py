import pytest
from made_up_host import Host, facts

from keepwall.discover.catalogue import catalogue
from keepwall.discover.host_roles import started_role


@pytest.mark.parametrize(
    ("argv", "name", "role"),
    [
        (["/usr/bin/ollama", "serve"], "ollama", "model-server"),
        (["ollama", "run", "llama3"], "ollama", "client"),
        (["/v/bin/python", "/v/bin/vllm", "serve", "m"], "vllm", "model-server"),
        (["VLLM::EngineCore"], "vllm", "model-server"),
        (["ray::IDLE"], "ray", "cluster"),
        (["python3", "-m", "sglang.launch_server", "--port", "1"], "sglang", "model-server"),
        (["java", "-cp", "x", "org.pytorch.serve.ModelServer"], None, "model-server"),
        (["node", "/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js"], "claude", "agent"),
        (["claude"], "claude", "agent"),
        (["node", "--inspect", "/usr/bin/gemini"], "gemini", "agent"),
        (["goose", "session"], "goose", "agent"),
        (["goose", "-dir", "migrations", "up"], None, None),
        (["python", "/opt/ComfyUI/main.py", "--listen"], "comfyui", "user-interface"),
        (["python", "-m", "mlflow.server.jobs"], "mlflow", "tracking"),
        (
            ["npm exec @modelcontextprotocol/server-filesystem /srv"],
            "@modelcontextprotocol/server-filesystem",
            "mcp-server",
        ),
        (["python3", "/x/bin/mcp-server-git"], "mcp-server-git", "mcp-server"),
        (["node", "/n/node_modules/.bin/github-mcp"], "github-mcp", "mcp-server"),
        (["nginx: worker process"], None, None),
        (["/usr/bin/python3", "other.py"], None, None),
        ([""], None, None),
        (["\x1b]0;ollama\x07"], None, None),
        (["node"], None, None),
        (["sh", "-c", "exec ollama serve"], "ollama", "model-server"),
    ],
)
def test_programs_are_told_by_how_they_are_started(argv, name, role):
    found = started_role(argv, catalogue())
    assert (found.role if found else None) == role
    if name is not None:
        assert found is not None
        assert found.name == name


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_a_script_counts_by_what_it_imports(host):
    host.write("srv/app/serve.py", "import os\nfrom gradio import Interface\n")
    host.write("srv/app/other.py", "import os, json\n")
    host.process(5, "/usr/bin/python3", "serve.py", links={"cwd": "/srv/app"})
    host.process(6, "/usr/bin/python3", "/srv/app/other.py")
    (running,) = facts(host.discover(), "process.running")
    assert (running["program"], running["role"]) == ("serve.py", "uses gradio")


def test_a_database_counts_where_it_has_loaded_vectors(host):
    loaded = "7f-80 r-xp 0 0:0 1 /usr/lib/postgresql/15/lib/vector.so\n"
    host.process(5, "postgres: ann claims", maps=loaded, links={"exe": "/usr/lib/postgres"})
    host.process(6, "postgres: bob shop", links={"exe": "/usr/lib/postgres"})
    found = host.discover()
    assert [each["name"] for each in facts(found, "service.used")] == ["pgvector"]


def test_a_web_server_counts_by_the_application_that_it_is_given(host):
    host.process(5, "/v/bin/python", "-m", "uvicorn", "open_webui.main:app")
    host.process(6, "/v/bin/python", "-m", "uvicorn", "shop.main:app")
    assert [each["program"] for each in facts(host.discover(), "process.running")] == ["open-webui"]


def test_an_mcp_server_is_that_of_its_package_and_of_the_agent_that_started_it(host):
    host.process(4, "claude", parent=1)
    host.process(5, "npm exec @acme/mcp-files@1.0.0 /srv", parent=4)
    host.process(6, "node", "/root/.npm/_npx/1/node_modules/.bin/mcp-files", "/srv", parent=5)
    found = host.discover()
    edges = {(each.source, each.kind, each.target) for each in found.relations}
    server = "mcp-server:npx @acme/mcp-files"
    assert ("process:node-1/mcp-files", "serves", server) in edges
    assert ("process:node-1/claude", "uses", server) in edges
    assert {each["program"] for each in facts(found, "process.running")} == {"claude", "mcp-files"}


def test_what_has_a_gpu_open_uses_it(host):
    bus = "sys/bus/pci/devices/0000:01:00.0"
    host.write(f"{bus}/vendor", "0x10de\n")
    host.write(f"{bus}/class", "0x030200\n")
    host.write(f"{bus}/device", "0x2330\n")
    host.write(
        "proc/driver/nvidia/gpus/0000:01:00.0/information",
        "Model: \t\t NVIDIA H100\nDevice Minor: \t 0\n",
    )
    host.write("dev/nvidia0", "")
    (host.root / "dev/nvidia0").chmod(0o660)
    host.process(
        5, "/opt/render", links={"exe": "/opt/render", "fd/9": "/dev/nvidia0", "fd/8": "/dev/kfd"}
    )
    found = host.discover()
    (present,) = facts(found, "accelerator.present")
    assert (present["vendor"], present["model"], present["index"]) == ("nvidia", "NVIDIA H100", 0)
    assert present["readable"].startswith("group ")
    assert ("process:node-1/render", "uses", "accelerator:node-1/0000:01:00.0") in {
        (each.source, each.kind, each.target) for each in found.relations
    }


def test_device_files_without_a_bus_are_accelerators_and_odd_displays_are_none(host):
    host.write("dev/nvidia3", "")
    (host.root / "dev/nvidia3").chmod(0o666)
    for name, text in (("vendor", "0x1234"), ("class", "0x030000")):
        host.write(f"sys/bus/pci/devices/0000:00:02.0/{name}", text)
    (present,) = facts(host.discover(), "accelerator.present")
    assert (present["vendor"], present["readable"]) == ("nvidia", "everyone")
