import sys

import pytest

from keepwall.formats.source.python import read_python
from keepwall.vocabulary.errors import FormatError


def calls(source: str) -> dict[str, dict]:
    return {call.function: dict(call.arguments) for call in read_python(source.encode()).calls}


@pytest.mark.parametrize(
    ("source", "function"),
    [
        ("import torch as t\nt.load('m.pt')", "torch.load"),
        ("import os.path\nos.system('ls')", "os.system"),
        (
            "from transformers import AutoModel\nAutoModel.from_pretrained('x')",
            "transformers.AutoModel.from_pretrained",
        ),
        (
            "from openai import OpenAI\nclient = OpenAI()\nclient.chat.completions.create()",
            "openai.OpenAI.chat.completions.create",
        ),
        (
            "import openai\nwith openai.OpenAI() as c:\n    c.responses.create()",
            "openai.OpenAI.responses.create",
        ),
        (
            (
                "from openai import OpenAI as O\nclass A:\n def __init__(self):\n  self.c = O()\n"
                " def ask(self):\n  return self.c.chat.create()"
            ),
            "openai.OpenAI.chat.create",
        ),
        (
            "from openai import OpenAI\ndef ask(client: OpenAI):\n    client.chat.create()",
            "openai.OpenAI.chat.create",
        ),
        ("def f():\n    client.create()\nimport m\nclient = m.Client()", "m.Client.create"),
        ("import m\nx: m.T = m.T()\nx.go()", "m.T.go"),
        ("import m\n(lambda: m.go())()", "m.go"),
        ("import m\nasync def f():\n    await (await m.a()).b()", "m.a.b"),
        (
            "try:\n    import torch\nexcept ImportError:\n    torch = None\ntorch.load('x')",
            "torch.load",
        ),
        ("eval(x)", "eval"),
        ("import builtins as b\nb.eval('1')", "builtins.eval"),
    ],
)
def test_functions_are_resolved(source, function):
    assert function in calls(source)


@pytest.mark.parametrize(
    ("source", "function"),
    [
        ("def eval(x): ...\neval(1)", "eval"),
        ("import torch\ndef f(torch):\n    torch.load('x')", "torch.load"),
        ("import torch\nfor torch in things:\n    torch.load('x')", "torch.load"),
        ("class A:\n    import torch\n    def f(self):\n        torch.load('x')", "torch.load"),
    ],
)
def test_a_name_that_means_something_else_is_not_taken_for_a_library(source, function):
    assert function not in calls(source)


def test_arguments_are_literals_or_null():
    source = (
        "import m\nNAME = 'gpt-4o'\n"
        "m.f('a', b, *rest, n=-1, flag=True, model=NAME, other=NAME + '!', d={'k': [1, x]}, **more)"
    )
    assert calls(source)["m.f"] == {
        "0": "a",
        "1": None,
        "n": -1,
        "flag": True,
        "model": "gpt-4o",
        "other": None,
        "d": {"k": [1, None]},
    }


def test_lines_scopes_and_references():
    source = "import m\ndef tool(): ...\ndef f():\n    return m.Agent(\n        tools=[tool, m.x])"
    (call,) = read_python(source.encode()).calls
    assert (call.line, call.end_line, call.scope) == (4, 5, "f")
    assert call.references["tools"] == ("tool", "m.x")


def test_decorators_classes_and_messages():
    module = read_python(
        b"from agents import function_tool\nfrom lib import Base\n"
        b'@function_tool(name_override="go")\ndef run():\n    """Say it."""\n'
        b'class T(Base):\n    name = "t"\n'
        b'm = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]\n'
    )
    (function,) = module.functions
    assert function.decorators[0].function == "agents.function_tool"
    assert function.decorators[0].arguments == {"name_override": "go"}
    assert function.documentation == "Say it."
    assert (module.classes[0].bases, module.classes[0].attributes) == (("lib.Base",), {"name": "t"})
    assert [(each.target, each.value) for each in module.messages] == [("system", "Be kind.")]


HOSTILE = {
    "parentheses": "(" * 100_000 + ")" * 100_000,
    "signs": "-" * 100_000 + "1",
    "negations": "not " * 5_000 + "x",
    "sums": "+".join(["1"] * 100_000),
    "attributes": "a" + ".b" * 50_000,
    "calls": "a" + "()" * 50_000,
    "elif": "if a:\n pass\n" + "elif a:\n pass\n" * 20_000,
    "lambdas": "lambda: " * 5_000 + "1",
    "conditions": "1 if a else " * 20_000 + "1",
    "indents": "".join(" " * level + "if a:\n" for level in range(200)) + " " * 200 + "pass",
    "dense": "[" + "1," * 400_000 + "]",
    "null byte": "a = 1\0",
    "python 2": "print 'hello'",
    "unclosed": 'x = """',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_source_that_would_crash_a_parser_is_refused(name):
    with pytest.raises(FormatError):
        read_python(HOSTILE[name].encode())


def test_wide_but_flat_source_is_read():
    source = "x = " + "y = " * 20_000 + "1\n" + "[" + "f(1)," * 5_000 + "]"
    assert len(read_python(source.encode()).calls) == 5_000


def test_a_chain_as_deep_as_the_parser_allows_is_read_without_recursion():
    depth = sys.getrecursionlimit() * 2
    source = (
        "import m\nx = m"
        + ".a" * 500
        + "()\n"
        + "f(" * 90
        + ")" * 90
        + "\ny = "
        + "+".join(["g()"] * depth)
    )
    module = read_python(source.encode())
    assert sum(call.function == ":g" for call in module.calls) == depth


def test_source_above_the_limit_is_refused():
    with pytest.raises(FormatError, match="bytes of source"):
        read_python(b"x" * 100, limit=99)


@pytest.mark.parametrize("cookie", ["utf-7", "unicode_escape", "rot13", "hex", "no-such"])
def test_encodings_that_hide_code_are_refused(cookie):
    with pytest.raises(FormatError, match="encoding"):
        read_python(f"# -*- coding: {cookie} -*-\nx = 1\n".encode())


def test_declared_encodings_are_honoured():
    source = "# coding: latin-1\nimport m\nm.f('é')\n".encode("latin-1")
    assert read_python(source).calls[0].arguments == {"0": "é"}
    with pytest.raises(FormatError, match="not utf-8"):
        read_python(b"x = '\xff'")


def test_a_text_that_is_added_to_is_no_literal_any_more():
    assert calls("def f(x):\n    t = 'pass'\n    t += x\n    exec(t)\n")["exec"] == {"0": None}
    assert calls("t = 'pass'\nexec(t)\n")["exec"] == {"0": "pass"}


@pytest.mark.parametrize(
    ("body", "endless"),
    [
        ("while True:\n        work()", True),
        ("while 1:\n        def g():\n            return 1", True),
        ("while True:\n        if work():\n            break", False),
        ("while True:\n        return work()", False),
        ("while work():\n        pass", False),
    ],
)
def test_a_function_says_whether_it_never_ends(body, endless):
    (function, *_) = read_python(f"def f():\n    {body}\n".encode()).functions
    assert function.endless is endless


def test_an_import_takes_a_name_back_from_what_a_call_returned():
    source = "from acme import Shell\nrun = Shell()\nfrom os import system as run\nrun('ls')\n"
    assert [call.function for call in read_python(source.encode()).calls] == [
        "acme.Shell",
        "os.system",
    ]


def test_calling_what_a_call_returned_is_not_that_call_again():
    source = (
        "from acme import Shell\nshell = Shell()\nshell('ls')\nShell()('ls')\nalias = Shell\n"
        "alias()\nother = shell\nother('ls')\nshell.run('ls')\n"
        "class A:\n    def __init__(self):\n        self.shell = Shell()\n"
        "    def go(self):\n        self.shell('ls')\n"
    )
    found = [(call.line, call.function) for call in read_python(source.encode()).calls]
    assert sorted(found) == [
        (2, "acme.Shell"),
        (3, "acme.Shell.__call__"),
        (4, "acme.Shell"),
        (4, "acme.Shell.__call__"),
        (6, "acme.Shell"),
        (8, "acme.Shell.__call__"),
        (9, "acme.Shell.run"),
        (12, "acme.Shell"),
        (14, "acme.Shell.__call__"),
    ]
