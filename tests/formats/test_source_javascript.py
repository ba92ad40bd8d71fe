import pytest

from keepwall.formats.source.javascript import Dialect, dialect_of, generated, read_javascript
from keepwall.formats.source.javascript_modules import keyword, module_name
from keepwall.vocabulary.errors import FormatError

DEFAULTS = {"npm:openai": "OpenAI", "npm:ollama": "ollama"}


def read(source: str, dialect: Dialect = Dialect.TYPESCRIPT):
    return read_javascript(source.encode(), dialect, defaults=DEFAULTS)


def calls(source: str, dialect: Dialect = Dialect.TYPESCRIPT) -> dict[str, dict]:
    return {call.function: dict(call.arguments) for call in read(source, dialect).calls}


@pytest.mark.parametrize(
    ("specifier", "name"),
    [
        ("openai", "npm:openai"),
        ("@modelcontextprotocol/sdk/server/mcp.js", "npm:@modelcontextprotocol/sdk.server.mcp"),
        ("@modelcontextprotocol/sdk/server/index.js", "npm:@modelcontextprotocol/sdk.server"),
        ("npm:zod@3.25", "npm:zod"),
        ("npm:@langchain/core@^0.3/tools", "npm:@langchain/core.tools"),
        ("https://esm.sh/openai@4.2?target=deno", "npm:openai"),
        ("https://cdn.jsdelivr.net/npm/@xenova/transformers@2.6.0", "npm:@xenova/transformers"),
        ("fs", "node:fs"),
        ("node:fs/promises", "node:fs.promises"),
        ("./tools.js", "./tools.js"),
        ("brain.js", "npm:brain.js"),
    ],
)
def test_modules_have_one_name(specifier, name):
    assert module_name(specifier) == name


@pytest.mark.parametrize(
    ("source", "function"),
    [
        ("import OpenAI from 'openai'; new OpenAI()", "npm:openai.OpenAI"),
        ("import { OpenAI as O } from 'openai'; new O()", "npm:openai.OpenAI"),
        ("import * as ai from 'ai'; ai.generateText()", "npm:ai.generateText"),
        ("const OpenAI = require('openai'); new OpenAI()", "npm:openai.OpenAI"),
        ("const { OpenAI: O } = require('openai'); new O()", "npm:openai.OpenAI"),
        (
            "const openai_1 = __importDefault(require('openai')); new openai_1.default()",
            "npm:openai.OpenAI",
        ),
        ("const ai_1 = require('ai'); (0, ai_1.streamText)()", "npm:ai.streamText"),
        ("import x = require('ai'); x.embed()", "npm:ai.embed"),
        ("async function f() { const { tool } = await import('ai'); tool() }", "npm:ai.tool"),
        (
            "import OpenAI from 'openai'; const c = new OpenAI(); c.chat.completions.create()",
            "npm:openai.OpenAI.chat.completions.create",
        ),
        (
            (
                "import OpenAI from 'openai'; let c: OpenAI | null = null;"
                " function get() { c = new OpenAI(); return c } c.responses.create()"
            ),
            "npm:openai.OpenAI.responses.create",
        ),
        (
            (
                "import OpenAI from 'openai'; class A { private c = new OpenAI();"
                " ask() { const { chat } = this.c; return chat.completions.create() } }"
            ),
            "npm:openai.OpenAI.chat.completions.create",
        ),
        (
            (
                "import OpenAI from 'openai'; class A { constructor(private readonly c: OpenAI) {}"
                " ask() { return this.c.responses.create() } }"
            ),
            "npm:openai.OpenAI.responses.create",
        ),
        (
            (
                "import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';"
                " export const add = (server: McpServer) => { server.tool('x') }"
            ),
            "npm:@modelcontextprotocol/sdk.server.mcp.McpServer.tool",
        ),
        (
            "import { createOpenAI } from '@ai-sdk/openai'; const o = createOpenAI({}); o('gpt-4o')",
            "npm:@ai-sdk/openai.createOpenAI.__call__",
        ),
        (
            (
                "import { exec } from 'child_process'; import util from 'node:util';"
                " const run = util.promisify(exec); run('ls')"
            ),
            "node:child_process.exec",
        ),
        ("import fs, { promises as p } from 'fs'; p.readFile('x')", "node:fs.promises.readFile"),
        ("client.go(); import { client } from 'm'", "npm:m.client.go"),
        ("import { a } from 'm'; const b = c || a(); b.go()", "npm:m.a.go"),
        ("globalThis.eval(x)", "eval"),
        ("new Function('a', b)", "Function"),
        ("function f() { return 1 } f()", ":f"),
        ("class A { a() { this.b() } b() {} }", ":self.b"),
    ],
)
def test_functions_are_resolved(source, function):
    assert function in calls(source)


@pytest.mark.parametrize(
    ("source", "function"),
    [
        ("function eval(x) {} eval(1)", "eval"),
        ("import ai from 'ai'; function f(ai) { ai.tool() }", "npm:ai.tool"),
        (
            "import ai from 'ai'; function f() { for (const ai of all) { ai.tool() } }",
            "npm:ai.tool",
        ),
        ("import ai from 'ai'; function f() { try {} catch (ai) { ai.tool() } }", "npm:ai.tool"),
        ("import { exec } from './mine.js'; exec('ls')", "node:child_process.exec"),
        ("const a = b; const b = a; a.go()", "npm:a.go"),
    ],
)
def test_a_name_that_means_something_else_is_not_taken_for_a_library(source, function):
    assert function not in calls(source)


def test_properties_of_objects_are_keywords_and_values_literals_or_null():
    source = """
    import { m } from 'm'
    const NAME = 'gpt-4o'
    const MODELS = { fast: 'gpt-4o-mini', slow: `gpt-${'4o'}` } as const
    m('a', b, { modelName: NAME, baseURL: 'http://x', n: -1.5, flag: true, nothing: null,
      fast: MODELS.fast, slow: MODELS['slow'], joined: NAME + '!', open: `x${y}`,
      nested: { k: [1, z] }, ...rest })
    """
    assert calls(source)["npm:m.m"] == {
        "0": "a",
        "1": None,
        "model_name": "gpt-4o",
        "base_url": "http://x",
        "n": -1.5,
        "flag": True,
        "nothing": None,
        "fast": "gpt-4o-mini",
        "slow": None,
        "joined": "gpt-4o!",
        "open": None,
        "nested": {"k": [1, None]},
    }


def test_an_argument_falls_back_on_its_default():
    module = read(
        "import { m } from 'm'\nconst A = process.env.MODEL ?? 'gpt-4o'\n"
        "function f(model = 'gpt-4') { m({ a: A, b: x || 'b', c: y ? 'c' : 'd', model }) }"
    )
    (call,) = module.calls
    assert call.defaults == {"a": "gpt-4o", "b": "b", "c": "d", "model": "gpt-4"}
    assert call.arguments["a"] is None


def test_environment_variables_are_named_and_have_no_value():
    module = read(
        "import O from 'openai'\nconst key = process.env.OPENAI_API_KEY\n"
        "new O({ apiKey: process.env['OTHER_KEY'] })\n// process.env.COMMENTED_KEY\n"
        "const d = Deno.env.get('DENO_KEY')"
    )
    assert [(each.name, each.target, each.line) for each in module.variables] == [
        ("OPENAI_API_KEY", "key", 2),
        ("OTHER_KEY", "apiKey", 3),
        ("DENO_KEY", "d", 5),
    ]
    assert module.calls[0].references["api_key"] == ("process.env.OTHER_KEY",)


def test_functions_that_are_handed_over_are_named_and_hold_their_calls():
    module = read(
        "import { tool } from 'ai'\n"
        "const weather = tool({ execute: async ({ city }) => { await fetch(city) } })\n"
        "const other = tool({ execute: go })\n"
        "agent({ tools: { weather, other: tool({ execute: function named() {} }) } })\n"
        "list.map((x) => eval(x))"
    )
    by_target = {call.target: call for call in module.calls}
    assert by_target["weather"].references["execute"] == (":execute",)
    assert by_target["other"].scope == ""
    scopes = {call.function: call.scope for call in module.calls}
    assert scopes["fetch"] == "execute"
    assert scopes["eval"] == "map()"
    assert [each.name for each in module.functions] == ["execute", "named", "map()"]


def test_classes_have_bases_and_fields():
    module = read(
        "import { StructuredTool } from '@langchain/core/tools'\n"
        "export class Shell extends StructuredTool<X> implements Y {\n"
        "  name = 'shell'\n  async _call(input: string) {}\n}"
    )
    (found,) = module.classes
    assert found.bases == ("npm:@langchain/core.tools.StructuredTool",)
    assert found.attributes == {"name": "shell"}
    assert [each.name for each in module.functions] == ["Shell._call"]


def test_messages_and_tables_of_tools_are_told():
    module = read(
        "const m = [{ role: 'system', content: `You are ${x}.` }, { role: 'user', content: 'no' }]\n"
        "const t = [{ name: 'read_file', description: 'Reads.', inputSchema: {} }, { name: 'a b' }]\n"
        "function answer(q) { switch (q.name) { case 'read_file': return open(q) } }\n"
        "import { P } from '@langchain/core/prompts'\nP.fromMessages([['system', 'Be kind.']])"
    )
    assert [(each.target, each.value) for each in module.messages] == [
        ("system", "Be kind."),
        ("system", "You are {}."),
    ]
    (offer,) = module.offers
    assert (offer.name, offer.description) == ("read_file", "Reads.")
    assert offer.function == "answer.read_file"


def test_texts_have_the_name_that_they_are_given_to():
    prompt = "You are a careful assistant who answers questions about claims, and nothing else."
    module = read(
        f"const MODELS = {{ fast: 'gpt-4o-mini' }}\nfetch('https://api.openai.com/v1/models')\n"
        f"const config = {{ model: process.env.M || 'gpt-4o' }}\nconst SYSTEM_PROMPT = `{prompt}`"
    )
    assert [(each.key, each.value) for each in module.texts] == [
        ("", "https://api.openai.com/v1/models"),
        ("MODELS.fast", "gpt-4o-mini"),
        ("config.model", "gpt-4o"),
    ]
    assert [(each.key, each.text) for each in module.templates] == [("SYSTEM_PROMPT", prompt)]


def test_loops_without_end():
    module = read(
        "function a() { for (;;) { x() } } function b() { while (true) { if (y) break } }\n"
        "function c() { while (true) { z() } } function d() { while (go) { z() } }"
    )
    assert {each.name: each.endless for each in module.functions} == {
        "a": True,
        "b": False,
        "c": True,
        "d": False,
    }


def test_each_dialect_reads_its_files():
    assert dialect_of("a/b.mjs") is Dialect.JAVASCRIPT
    assert dialect_of("a/b.cts") is Dialect.TYPESCRIPT
    assert dialect_of("B.TSX") is Dialect.TSX
    assert dialect_of("a.py") is None
    jsx = "import { C } from 'm'; export const A = () => <C a={C.go()}>{C.list()}</C>"
    assert {"npm:m.C.go", "npm:m.C.list"} <= calls(jsx, Dialect.TSX).keys()
    assert {"npm:m.C.go", "npm:m.C.list"} <= calls(jsx, Dialect.JAVASCRIPT).keys()


def test_broken_syntax_yields_what_could_be_parsed():
    found = calls("import OpenAI from 'openai'\nconst c = new OpenAI({\n})\nfunction (((\nc.go(")
    assert "npm:openai.OpenAI" in found


def test_keywords_are_in_snake_case():
    assert [keyword(each) for each in ("modelName", "baseURL", "HTTPClient", "x-y", "a")] == [
        "model_name",
        "base_url",
        "http_client",
        "x-y",
        "a",
    ]


def test_generated_code_is_refused_with_a_reason():
    minified = b"var a=1;" * 5_000
    assert generated(minified).startswith("generated: 40000 bytes in 1 lines")
    assert generated(b"const prompt = '" + b"word " * 3_000 + b"'\n" + b"let a = 1\n" * 2_000) == ""
    with pytest.raises(FormatError, match="generated"):
        read_javascript(minified, Dialect.JAVASCRIPT)
    with pytest.raises(FormatError, match="bundle"):
        read_javascript(b"__webpack_require__(1)", Dialect.JAVASCRIPT)
    with pytest.raises(FormatError, match="more than 10"):
        read_javascript(b"let a = 1\n" * 10, Dialect.JAVASCRIPT, limit=10)
