import pytest

from keepwall.discover.tree import discover_tree

TOOL = "import os, subprocess, requests, sqlite3\nfrom langchain_core.tools import tool\n"
WEB = (
    "import requests, subprocess\nfrom fastapi import FastAPI, Depends, Request\napp = FastAPI()\n"
)


def flows(tmp_path, source):
    (tmp_path / "app.py").write_text(source)
    return [
        (each.value["origin"], each.value["sink"], each.value["through"], each.line)
        for each in discover_tree(tmp_path).facts
        if each.kind == "code.flow"
    ]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (
            TOOL + "@tool\ndef t(c: str):\n    'x'\n    line = f'ls {c}'\n    os.system(line)\n",
            ("tool", "os.system", "line", 7),
        ),
        (
            TOOL + "@tool\ndef t(c: str):\n    'x'\n    subprocess.run(['sh', '-c', c])\n",
            ("tool", "subprocess.run", "c", 6),
        ),
        (
            TOOL + "@tool\ndef t(q: str):\n    'x'\n    db = sqlite3.connect('x')\n"
            "    db.execute('select ' + q)\n",
            ("tool", "sqlite3.connect.execute", "q", 7),
        ),
        (
            TOOL + "@tool\ndef t(u: str):\n    'x'\n    requests.get(u.strip())\n",
            ("tool", "requests.get", "u", 6),
        ),
        (
            WEB + "@app.post('/x')\ndef x(body: dict):\n    eval(body['code'])\n",
            ("request", "eval", "body", 6),
        ),
        (
            WEB + "@app.post('/x')\nasync def x(request: Request):\n"
            "    data = await request.json()\n    subprocess.run(data['c'], shell=True)\n",
            ("request", "subprocess.run", "data", 7),
        ),
        (
            (
                "from openai import OpenAI\nclient = OpenAI()\ndef run(q):\n"
                "    r = client.chat.completions.create(model='gpt-4o', messages=q)\n"
                "    code = r.choices[0].message.content\n    exec(code)\n"
            ),
            ("model", "exec", "code", 6),
        ),
    ],
)
def test_text_from_outside_that_reaches_a_sink(tmp_path, source, found):
    assert flows(tmp_path, source) == [found]


@pytest.mark.parametrize(
    "source",
    [
        TOOL + "@tool\ndef t(c: str):\n    'x'\n    os.system('ls')\n",
        TOOL + "@tool\ndef t(c: int):\n    'x'\n    os.system(f'kill {c}')\n",
        TOOL + "import shlex\n@tool\ndef t(c: str):\n    'x'\n    os.system(shlex.quote(c))\n",
        TOOL + "@tool\ndef t(c: str):\n    'x'\n    subprocess.run(['ls', c])\n",
        TOOL + "@tool\ndef t(c: str):\n    'x'\n    requests.get(f'https://api.acme.test/{c}')\n",
        TOOL + "@tool\ndef t(c: str):\n    'x'\n    c = 'fixed'\n    os.system(c)\n",
        TOOL + "@tool\ndef t(c: str):\n    'x'\n    os.system(COMMANDS[c])\n",
        TOOL + "@tool\ndef t(c: str):\n    'x'\n    db = sqlite3.connect('x')\n"
        "    db.execute('select ?', (c,))\n",
        TOOL + "def plain(c: str):\n    os.system(c)\n",
        WEB + "@app.get('/x')\ndef x(user=Depends(who)):\n    eval(user.formula)\n",
        WEB + "@app.get('/x')\ndef x(request: Request):\n    eval(request.app.state.formula)\n",
        WEB + "def x(u):\n    r = requests.get(u)\n    requests.get(r.json()['next'])\n",
    ],
)
def test_text_that_is_harmless_where_it_arrives(tmp_path, source):
    assert flows(tmp_path, source) == []


def test_what_stands_in_nested_functions_is_of_those(tmp_path):
    source = (
        TOOL + "@tool\ndef t(c: str):\n    'x'\n    def inner(d):\n        os.system(d)\n"
        "    if c:\n        for each in c.split():\n            os.system(each)\n"
    )
    assert flows(tmp_path, source) == [("tool", "os.system", "each", 10)]
