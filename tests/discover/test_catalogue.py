import pytest

from keepwall.discover.catalogue import catalogue, listed, started_names
from keepwall.vocabulary.surface import Surface


def test_there_are_enough_libraries_and_each_has_a_surface():
    known = catalogue()
    assert len(known.libraries) >= 120
    assert {library.surface for library in known.libraries.values()} == set(Surface)
    assert known.library("npm", "@anthropic-ai/sdk").purl == "pkg:npm/%40anthropic-ai/sdk"


@pytest.mark.parametrize(
    ("dotted", "name"),
    [
        ("torch.nn.Linear", "torch"),
        ("sklearn.linear_model.Lasso", "scikit-learn"),
        ("google.generativeai.GenerativeModel", "google-generativeai"),
        ("google.cloud.aiplatform.Model", "google-cloud-aiplatform"),
        ("llama_index.core.agent.ReActAgent", "llama-index-core"),
    ],
)
def test_modules_lead_to_their_library(dotted, name):
    assert catalogue().imported(dotted).name == name


@pytest.mark.parametrize("dotted", ["google.cloud.storage", "os.path", "torchlike", ""])
def test_other_modules_lead_nowhere(dotted):
    assert catalogue().imported(dotted) is None


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (
            "python -m vllm.entrypoints.openai.api_server",
            ["vllm.entrypoints.openai.api_server", "vllm"],
        ),
        ("/usr/bin/python3.11 -u /opt/bin/jupyter-lab --ip x", ["jupyter-lab"]),
        ("uv run jupyter lab", ["jupyter"]),
        ("A=1 exec ollama serve", ["ollama"]),
        ("tini -- start-notebook.sh", ["start-notebook.sh"]),
        ("python -c print", []),
        ("env", []),
        ("", []),
    ],
)
def test_what_a_command_line_really_starts(command, names):
    assert started_names(command.split()) == names


def test_a_shell_is_looked_through():
    assert started_names(["sh", "-c", "exec vllm serve x"]) == ["vllm"]


def test_prefixes_end_in_a_dot():
    names = frozenset({"subprocess.", "os.system"})
    assert listed("subprocess.run", names)
    assert listed("os.system", names)
    assert not listed("os.systemd", names)
    assert not listed("subprocessing.run", names)
