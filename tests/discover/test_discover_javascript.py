import pytest

from keepwall.discover.catalogue import catalogue
from keepwall.discover.tree import discover_tree
from keepwall.vocabulary.asset import AssetKind, RelationKind

AGENT = """
import { generateText, tool } from 'ai';
import { openai } from '@ai-sdk/openai';
import { exec } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(exec);

const shell = tool({
  description: 'Runs a command.',
  inputSchema: z.object({ command: z.string() }),
  execute: async ({ command }) => (await run(command)).stdout,
});

export async function answer(question: string) {
  return generateText({
    model: openai('gpt-4o-2024-08-06'),
    system: 'You are an assistant of the claims department who looks things up before answering.',
    tools: { shell, weather: tool({ description: 'Weather.', execute: async () => fetch(url) }) },
    prompt: question,
  });
}
"""
SERVER = """
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import fs from "fs/promises";
const server = new McpServer({ name: "files", version: "1.0.0" });
const readFile = async ({ path }) => fs.readFile(path, "utf8");
server.registerTool("read_file", { description: "Reads.", inputSchema: {} }, readFile);
server.registerTool("read_text", { description: "Reads too.", inputSchema: {} }, readFile);
server.tool("add", "Adds two numbers.", { a: z.number() }, async ({ a }) => a + 1);
"""
LOW_LEVEL = """
const { Server } = require("@modelcontextprotocol/sdk/server/index.js");
const child_process = require("child_process");
const server = new Server({ name: "old" }, { capabilities: { tools: {} } });
server.setRequestHandler(ListToolsRequestSchema, async () => ({
  tools: [
    { name: "run", description: "Runs.", inputSchema: { type: "object" } },
    { name: "ping", description: "Answers.", inputSchema: { type: "object" } },
  ],
}));
server.setRequestHandler(CallToolRequestSchema, async (request) => {
  switch (request.params.name) {
    case "run":
      return child_process.execSync(request.params.arguments.command);
    case "ping":
      return "pong";
  }
});
"""
OTHERS = """
import { azure, createAzure } from '@ai-sdk/azure';
import Anthropic from '@anthropic-ai/sdk';
import { QdrantClient } from '@qdrant/js-client-rest';
import { pipeline } from '@huggingface/transformers';
import { ChatOpenAI } from '@langchain/openai';
import { Agent, MCPServerStdio } from '@openai/agents';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
const claude = new Anthropic({ apiKey: process.env.ANTHROPIC_API_KEY });
await claude.messages.create({ model: 'claude-sonnet-4-5', messages: [] });
const store = new QdrantClient({ url: 'http://localhost:6333' });
const other2 = azure.responses(deployment);
const small = createAzure({}).textEmbeddingModel('text-embedding-3-small');
const embed = await pipeline('feature-extraction', 'Xenova/all-MiniLM-L6-v2');
const chat = new ChatOpenAI({ modelName: 'gpt-4o-mini' });
const helper = new Agent({ name: 'Helper', model: 'gpt-4.1', instructions: 'Help.' });
const unknown = new StdioClientTransport({ command: 'node', args: [path] });
const files = new MCPServerStdio({ fullCommand: 'npx -y @acme/files .' });
const other = new StdioClientTransport({ command: 'npx', args: ['-y', '@acme/web@1.2.3'] });
"""


@pytest.fixture
def tree(tmp_path):
    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return discover_tree(tmp_path)

    return write


def keys(inventory, kind):
    return {each.key for each in inventory.assets if each.kind is kind}


def tools(inventory):
    return {
        fact.value["name"]: fact.value["capabilities"]
        for fact in inventory.facts
        if fact.kind == "code.tool"
    }


def related(inventory, kind):
    return {(each.source, each.target) for each in inventory.relations if each.kind is kind}


def test_an_agent_of_the_vercel_sdk_with_its_model_and_tools(tree):
    found = tree({"src/agent.ts": AGENT})
    assert keys(found, AssetKind.HOSTED_MODEL) == {"openai/gpt-4o-2024-08-06"}
    assert keys(found, AssetKind.PROVIDER) == {"openai"}
    assert keys(found, AssetKind.AGENT) == {"src/agent.ts#answer"}
    assert tools(found) == {"shell": ["shell"], "weather": ["network"]}
    agent = "agent:src/agent.ts#answer"
    assert related(found, RelationKind.CALLS) == {
        (agent, "tool:src/agent.ts#shell"),
        (agent, "tool:src/agent.ts#weather"),
    }
    assert (agent, "hosted-model:openai/gpt-4o-2024-08-06") in related(found, RelationKind.USES)
    assert keys(found, AssetKind.LIBRARY) == {"pkg:npm/ai", "pkg:npm/%40ai-sdk/openai"}
    prompts = [fact for fact in found.facts if fact.kind == "prompt.text"]
    assert [fact.line for fact in prompts] == [16]


def test_a_server_with_its_tools(tree):
    found = tree({"src/server.js": SERVER})
    assert keys(found, AssetKind.MCP_SERVER) == {"node src/server.js"}
    assert tools(found) == {"read_file": ["file"], "read_text": ["file"], "add": []}
    assert len(related(found, RelationKind.EXPOSES)) == 7


def test_a_server_that_lists_its_tools_itself(tree):
    found = tree({"index.cjs": LOW_LEVEL})
    assert tools(found) == {"run": ["shell"], "ping": []}


def test_a_server_that_is_handed_over_without_its_type(tree):
    found = tree(
        {
            "tools/echo.js": "export function add(server) {\n"
            "  server.registerTool('echo', { description: 'E.' }, async () => eval(x));\n}\n",
            "other.js": "register.tool('echo', () => 1); server.tool(name, handler)\n",
        }
    )
    assert tools(found) == {"echo": ["code"]}


def test_models_stores_clients_and_agents(tree):
    found = tree({"a.mts": OTHERS})
    assert keys(found, AssetKind.HOSTED_MODEL) == {
        "anthropic/claude-sonnet-4-5",
        "azure-openai/text-embedding-3-small",
        "huggingface/xenova/all-minilm-l6-v2",
        "openai/gpt-4o-mini",
        "openai/gpt-4.1",
    }
    assert keys(found, AssetKind.VECTOR_STORE) == {"qdrant"}
    assert keys(found, AssetKind.AGENT) == {"a.mts#Helper"}
    assert keys(found, AssetKind.MCP_SERVER) == {"npx @acme/files", "npx @acme/web"}
    assert {"anthropic", "openai"} <= keys(found, AssetKind.PROVIDER)
    pinned = {
        fact.value["command"]: fact.value["pinned"]
        for fact in found.facts
        if fact.kind == "mcp.server" and fact.value["arguments"][-1] != "."
    }
    assert pinned == {"npx": True}


def test_what_converts_the_tools_of_others_is_no_tool(tree):
    found = tree(
        {
            "convert.ts": "import { tool } from 'ai'\nexport function convert(all) {\n"
            "  for (const each of all) out[each.name] = tool({ description: each.description,"
            " execute: async (x) => each.run(x) })\n}\n"
        }
    )
    assert tools(found) == {}


def test_dangerous_calls_are_facts_with_the_line(tree):
    found = tree({"a.js": "const cp = require('child_process')\ncp.exec(x)\nnew Function(y)\n"})
    calls = {fact.value["function"]: fact.line for fact in found.facts if fact.kind == "code.call"}
    assert calls == {"node:child_process.exec": 2, "Function": 3}


def test_credentials_are_never_told(tree):
    key = "sk-" + "proj-" + "Keepwall0Fixture1Value2For3Detector4Test5" * 2
    found = tree(
        {
            "a.js": "import OpenAI from 'openai'\n"
            f"const c = new OpenAI({{ apiKey: '{key}', defaultHeaders: {{ a: '{key}' }} }})\n"
            f"c.responses.create({{ model: 'gpt-4o', input: '{key}' }})\n"
        }
    )
    assert key not in repr(found)
    assert keys(found, AssetKind.HOSTED_MODEL) == {"openai/gpt-4o"}


def test_declarations_and_vendored_bundles_say_nothing(tree):
    minified = "import OpenAI from 'openai';" + "a=1;" * 4_000
    found = tree(
        {
            "types.d.ts": "import OpenAI from 'openai'; export const a: OpenAI;",
            "lib.min.js": "new OpenAI();" + minified,
            "node_modules/openai/index.js": "import OpenAI from 'openai'",
            "dist/chunk.js": minified,
            "dist/plain.js": "eval(x);" + "a=1;" * 4_000,
        }
    )
    assert keys(found, AssetKind.LIBRARY) == set()
    assert [(each.path, each.reason.partition(":")[0]) for each in found.unread] == [
        ("dist/chunk.js", "generated")
    ]


def test_the_data_names_only_what_is_known():
    known = catalogue()
    script = known.script
    assert set(script["argument_names"]) <= {
        *known.calls["tool_constructors"],
        *known.calls["mcp_clients"],
        *(each for each in script["argument_names"] if each.endswith(".pipeline")),
    }
    for table in ("agents", "tool_constructors", "tool_bases", "mcp_servers", "mcp_clients"):
        for function in script["calls"][table]:
            assert known.imported(function) is not None, function
    for function in [*script["calls"]["agent_loops"], *script["providers"]["datasets"]]:
        assert known.imported(function) is not None, function
