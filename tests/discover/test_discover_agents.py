import json

import pytest

from keepwall.discover.tree import discover_tree
from keepwall.vocabulary.asset import AssetKind, RelationKind

GPT = "hosted-model:openai/gpt-4o"


def scan(tmp_path, files):
    root = tmp_path / "claims"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return discover_tree(root)


def edges(inventory):
    return {(each.source, each.kind, each.target) for each in inventory.relations}


@pytest.mark.parametrize(
    ("source", "agent"),
    [
        (
            (
                "from langgraph.prebuilt import create_react_agent\n"
                "from langchain_openai import ChatOpenAI\nllm = ChatOpenAI(model='gpt-4o')\n"
                "helper = create_react_agent(llm, tools=[])\n"
            ),
            "helper",
        ),
        (
            "from agents import Agent\ntriage = Agent(name='Triage', model='gpt-4o')\n",
            "Triage",
        ),
        (
            (
                "from crewai import Agent, LLM\n"
                "a = Agent(role='Analyst', goal='x', llm=LLM(model='openai/gpt-4o'))\n"
            ),
            "Analyst",
        ),
        (
            (
                "from autogen import AssistantAgent\n"
                "config = {'config_list': [{'model': 'gpt-4o'}]}\n"
                "AssistantAgent(name='coder', llm_config=config)\n"
            ),
            "coder",
        ),
        (
            (
                "from smolagents import CodeAgent, OpenAIServerModel\n"
                "model = OpenAIServerModel(model_id='gpt-4o')\n"
                "coder = CodeAgent(tools=[], model=model)\n"
            ),
            "coder",
        ),
        ("from pydantic_ai import Agent\nbank = Agent('openai:gpt-4o')\n", "bank"),
        (
            (
                "from agno.agent import Agent\nfrom agno.models.openai import OpenAIChat\n"
                "web = Agent(model=OpenAIChat(id='gpt-4o'), name='Web')\n"
            ),
            "Web",
        ),
        (
            (
                "from autogen_agentchat.agents import AssistantAgent\n"
                "from autogen_ext.models.openai import OpenAIChatCompletionClient\n"
                "client = OpenAIChatCompletionClient(model='gpt-4o')\n"
                "AssistantAgent('planner', model_client=client, name='planner')\n"
            ),
            "planner",
        ),
    ],
)
def test_an_agent_uses_its_model_whatever_made_it(tmp_path, source, agent):
    found = edges(scan(tmp_path, {"app.py": source}))
    assert (f"agent:app.py#{agent}", RelationKind.USES, GPT) in found


def test_an_agent_names_the_variable_that_its_key_comes_from(tmp_path):
    found = scan(
        tmp_path,
        {
            "app.py": "import os\nfrom langchain_openai import ChatOpenAI\n"
            "from langchain.agents import create_agent\n"
            "llm = ChatOpenAI(model='gpt-4o', api_key=os.environ['ACME_OPENAI_KEY'])\n"
            "helper = create_agent(llm, tools=[])\n"
            "other = os.environ['UNRELATED_KEY']\n"
        },
    )
    (agent,) = [each for each in found.assets if each.kind is AssetKind.AGENT]
    assert agent.attributes["credential"] == "ACME_OPENAI_KEY"


def test_a_loop_written_by_hand_is_an_agent_with_tools_of_json_schema(tmp_path):
    found = scan(
        tmp_path,
        {
            "app.py": "from openai import OpenAI\nclient = OpenAI()\n"
            "TOOLS = [{'type': 'function', 'function': {'name': 'pay', 'description': 'Pay.',"
            " 'parameters': {}}}]\n"
            "def answer(messages):\n"
            "    return client.chat.completions.create(model='gpt-4o', messages=messages,"
            " tools=TOOLS)\n"
            "def plain(messages):\n"
            "    return client.chat.completions.create(model='gpt-4o', messages=messages)\n",
            "claude.py": "import anthropic\nclient = anthropic.Anthropic()\n"
            "def ask(m):\n    client.messages.create(model='claude-3-opus', messages=m,"
            " tools=[{'name': 'find', 'input_schema': {}}])\n",
        },
    )
    assert {each.id for each in found.assets if each.kind is AssetKind.AGENT} == {
        "agent:app.py#answer",
        "agent:claude.py#ask",
    }
    assert {
        ("agent:app.py#answer", RelationKind.CALLS, "tool:app.py#pay"),
        ("agent:app.py#answer", RelationKind.USES, GPT),
        ("agent:claude.py#ask", RelationKind.CALLS, "tool:claude.py#find"),
    } <= edges(found)


def test_mcp_servers_that_code_starts_or_calls(tmp_path):
    found = scan(
        tmp_path,
        {
            "app.py": "from mcp import StdioServerParameters\n"
            "from agents.mcp import MCPServerStdio\n"
            "from langchain_mcp_adapters.client import MultiServerMCPClient\n"
            "StdioServerParameters(command='npx', args=['-y', '@acme/files@1.2.3', '/data'])\n"
            "MCPServerStdio(params={'command': 'uvx', 'args': ['acme-git']})\n"
            "MultiServerMCPClient({'web': {'url': 'https://mcp.acme.test/mcp'}})\n"
            "StdioServerParameters(command=command)\n"
        },
    )
    servers = {each.key for each in found.assets if each.kind is AssetKind.MCP_SERVER}
    assert servers == {"npx @acme/files", "uvx acme-git", "https://mcp.acme.test:443/mcp"}
    pinned = {each.asset: each.value["pinned"] for each in found.facts if each.kind == "mcp.server"}
    assert pinned["mcp-server:npx @acme/files"] is True
    assert pinned["mcp-server:uvx acme-git"] is False


def test_agents_of_crewai_in_yaml(tmp_path):
    found = scan(
        tmp_path,
        {
            "config/agents.yaml": "analyst:\n  role: Senior analyst\n  goal: Find what is odd in "
            "claims and explain why it is\n  backstory: You worked in insurance for many years\n"
            "  llm: openai/gpt-4o\nnot_one:\n  role: x\n",
            "crew.py": "from crewai import Agent\nclass C:\n    def analyst(self):\n"
            "        return Agent(config=self.agents_config['analyst'])\n",
        },
    )
    assert {each.id for each in found.assets if each.kind is AssetKind.AGENT} == {
        "agent:config/agents.yaml#analyst"
    }
    assert {
        ("agent:config/agents.yaml#analyst", RelationKind.USES, GPT),
        (
            "agent:config/agents.yaml#analyst",
            RelationKind.USES,
            "prompt:config/agents.yaml#analyst",
        ),
    } <= edges(found)


def test_a_tool_of_the_framework_itself_is_known_through_a_relative_import(tmp_path):
    found = scan(
        tmp_path,
        {
            "src/smolagents/default_tools.py": "from .tools import Tool\nclass Search(Tool):\n"
            "    name = 'search'\n    def forward(self, q):\n        return q\n",
            "src/acme/tools.py": "from .tools import Tool\nclass Mine(Tool):\n"
            "    def forward(self, q):\n        return q\n",
        },
    )
    tools = {each.id for each in found.assets if each.kind is AssetKind.TOOL}
    assert tools == {"tool:src/smolagents/default_tools.py#search"}


LONG = "You are a careful clerk. " * 8


@pytest.mark.parametrize(
    ("source", "prompts"),
    [
        (f"SYSTEM_PROMPT = {LONG!r}", ["app.py#SYSTEM_PROMPT"]),
        (f"RAG_TEMPLATE = {LONG!r}", ["app.py#RAG_TEMPLATE"]),
        (f"m = [{{'role': 'system', 'content': {LONG!r}}}]", ["app.py#system"]),
        (f"m = [{{'role': 'system', 'content': f'{LONG}{{x}}'}}]", ["app.py#system"]),
        (
            f"from agents import Agent\nhelper = Agent(name='x', instructions={LONG!r})",
            ["app.py#helper.system"],
        ),
        (
            f"from textwrap import dedent\nREVIEW_PROMPT = dedent({LONG!r})",
            ["app.py#REVIEW_PROMPT"],
        ),
        ("HTML_TEMPLATE = '<p>" + "x" * 200 + "</p>'", []),
        (f"PROMPT_HELP = {LONG!r}", []),
        ("PROMPT = 'Be kind.'", []),
        (
            f"def f():\n    prompt = {'Do you want to go on with this? ' * 6!r}\n    input(prompt)",
            [],
        ),
        (f"raise ValueError({LONG!r})", []),
    ],
)
def test_prompts_are_assets_from_some_length_on(tmp_path, source, prompts):
    found = scan(tmp_path, {"app.py": source})
    assert [each.key for each in found.assets if each.kind is AssetKind.PROMPT] == prompts


def test_prompt_files_and_folders(tmp_path):
    found = scan(
        tmp_path,
        {"prompts/triage.md": LONG, "prompts/README.md": LONG, "AGENTS.md": LONG, "notes.md": LONG},
    )
    keys = [each.key for each in found.assets if each.kind is AssetKind.PROMPT]
    assert keys == ["AGENTS.md", "prompts/triage.md"]


def test_what_a_notebook_uses_is_of_the_notebook(tmp_path):
    code = "import chromadb\nfrom agents import Agent\na = Agent(name='Clerk', model='gpt-4o')\n"
    cell = {"cell_type": "code", "source": code, "outputs": []}
    found = edges(scan(tmp_path, {"nb.ipynb": json.dumps({"nbformat": 4, "cells": [cell]})}))
    assert ("notebook:nb.ipynb", RelationKind.USES, "vector-store:chroma") in found
    assert ("notebook:nb.ipynb", RelationKind.USES, "agent:nb.ipynb#Clerk") in found
