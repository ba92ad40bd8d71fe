"""What calls, tools and agents in code are called, and what they are not."""

from __future__ import annotations

from keepwall.discover.tree import discover_tree
from keepwall.vocabulary.asset import AssetKind


def models(tmp_path, source):
    (tmp_path / "app.py").write_text(source)
    return [
        (each.value["provider"], each.value["name"])
        for each in discover_tree(tmp_path).facts
        if each.kind == "model.reference"
    ]


def test_names_that_stand_for_no_model_are_left_out(tmp_path):
    source = (
        "import litellm\nfrom litellm.exceptions import BadRequestError\n"
        "from transformers import AutoModel\nfrom smolagents import WebSearchTool\n"
        "raise_it = BadRequestError(message='', model='gpt-4o')\n"
        "litellm.completion(model='n/a')\nlitellm.completion(model='anthropic/unknown')\n"
        "AutoModel.from_pretrained('your-org/your-model')\nWebSearchTool(engine='exa')\n"
        "AutoModel.from_pretrained('my-org/mythomax')\n"
    )
    assert models(tmp_path, source) == [("huggingface", "my-org/mythomax")]


def test_a_route_of_an_api_client_is_not_a_repository_of_the_hub(tmp_path):
    source = (
        "import litellm\nfrom langchain_community.embeddings import HuggingFaceEmbeddings\n"
        "from litellm import tokenizers\n"
        "litellm.completion(model='acme/claims')\nlitellm.completion(model='dashscope/qwen')\n"
        "HuggingFaceEmbeddings(model_name='acme/embed')\n"
        "from langchain_community.llms import VLLM\nVLLM(model='acme/served')\n"
    )
    assert models(tmp_path, source) == [
        ("", "acme/claims"),
        ("dashscope", "qwen"),
        ("huggingface", "acme/embed"),
        ("huggingface", "acme/served"),
    ]


def test_a_tool_that_never_ends_says_so(tmp_path):
    (tmp_path / "tools.py").write_text(
        "from langchain_core.tools import tool\n"
        "@tool\ndef forever(x):\n    while True:\n        print(x)\n"
        "@tool\ndef bounded(x):\n    while True:\n        if x:\n            break\n"
    )
    tools = {
        e.value["name"]: e.value for e in discover_tree(tmp_path).facts if e.kind == "code.tool"
    }
    assert tools["forever"]["loop"] is True
    assert tools["bounded"]["loop"] is False


def test_an_agent_is_not_called_after_a_variable_that_says_nothing(tmp_path):
    (tmp_path / "claims.py").write_text(
        "from smolagents import CodeAgent\nagent = CodeAgent(tools=[])\n"
        "def build():\n    model = CodeAgent(tools=[])\n    triage = CodeAgent(tools=[])\n"
    )
    names = [e.name for e in discover_tree(tmp_path).assets if e.kind is AssetKind.AGENT]
    assert sorted(names) == ["agent", "build", "triage"]


def test_an_interpreter_made_outside_of_a_tool_is_still_what_the_tool_can_do(tmp_path):
    (tmp_path / "tools.py").write_text(
        "from smolagents import LocalPythonExecutor, tool\nrun = LocalPythonExecutor([])\n"
        "@tool\ndef calculate(code: str) -> str:\n    'Count.'\n    return run(code)\n"
    )
    (tool,) = [e.value for e in discover_tree(tmp_path).facts if e.kind == "code.tool"]
    assert tool["capabilities"] == ["code"]
