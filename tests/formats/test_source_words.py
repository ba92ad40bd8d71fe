import pytest

from keepwall.formats.source.flow import Question, Sink, trace
from keepwall.formats.source.python import parse_tree, read_python


def texts(source):
    return [(each.value, each.key) for each in read_python(source.encode()).texts]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("A = 'x1'", [("x1", "A")]),
        ("A = ['x1', 'x2']", [("x1", "A"), ("x2", "A")]),
        ("A = {'k': 'x1', 'l': {'m': 'x2'}}", [("x1", "A.k"), ("x2", "A.l.m")]),
        ("f(a='x1')", [("x1", "a")]),
        ("f('x1')", []),
        ("A = f('x1')", [("x1", "A")]),
        ("A = b.replace('x1', 'x2')", []),
        ("f('https://a.test')", [("https://a.test", "")]),
        ("def f(a='x1', *, b='x2'): ...", [("x1", "a"), ("x2", "b")]),
        ("import os\nA = os.getenv('B', 'x1')", [("x1", "B")]),
        ("p.add_argument('-m', '--the-model', default='x1')", [("x1", "the_model")]),
        ("class A:\n    b: str = Field(default='x1')", [("x1", "b")]),
        ("self.a = b or 'x1'", [("x1", "self.a")]),
        ("t['a'] = 'x1'", [("x1", "a")]),
        ("A == 'x1'", []),
        ("raise SomeError(a='x1')", []),
        ("'''x1'''", []),
        ("A = 'two words'", []),
        ("match x:\n    case 'x1':\n        pass", []),
    ],
)
def test_a_text_knows_what_it_is_given_to(source, found):
    assert texts(source) == found


def test_what_arguments_fall_back_on():
    source = (
        "import os, m\nA = os.getenv('A', 'one')\n"
        "def f(b='two', c=None):\n    m.go(A, b, c, x=f'{A}/{b}', y=b + '!', z=c or 'three')\n"
        "class K:\n    def __init__(self, d='four'):\n        self.d = d\n"
        "    def go(self):\n        m.stop(self.d)\n"
    )
    calls = {each.function: dict(each.defaults) for each in read_python(source.encode()).calls}
    assert calls["m.go"] == {"0": "one", "1": "two", "x": "one/two", "y": "two!", "z": "three"}
    assert calls["m.stop"] == {"0": "four"}


def test_variables_of_the_environment():
    source = (
        "import os\nfrom os import environ\na = os.environ['A_KEY']\nb = environ.get('B_KEY')\n"
        "def f():\n    return load('C_KEY')\nx['D_KEY']\n"
    )
    found = [
        (each.name, each.line, each.scope, each.target)
        for each in read_python(source.encode()).variables
    ]
    assert found == [("A_KEY", 3, "", "a"), ("B_KEY", 4, "", "b"), ("C_KEY", 6, "f", "")]


def test_templates_are_long_texts_that_instruct():
    source = (
        f"A_PROMPT = {'word ' * 40!r}\nB_PROMPT = f'{'word ' * 40}{{x}}'\nC = {'word ' * 40!r}\n"
        f"D_PROMPT = {'word ' * 900!r}\n"
    )
    found = [
        (each.key, each.size, len(each.text)) for each in read_python(source.encode()).templates
    ]
    assert found == [("A_PROMPT", 200, 200), ("B_PROMPT", 202, 202), ("D_PROMPT", 4500, 2000)]


def test_relative_names_of_bases_and_decorators_are_those_of_the_package():
    source = b"from ..core import Base, mark\n@mark\ndef f(): ...\nclass A(Base): ...\n"
    module = read_python(source, package="acme.tools.web")
    assert module.classes[0].bases == ("acme.tools.core.Base",)
    assert module.functions[0].decorators[0].function == "acme.tools.core.mark"
    assert module.imports[0].name == "..core.Base"


def test_a_flow_is_followed_through_what_hands_a_text_on_and_no_further():
    tree = parse_tree(
        "def f(a):\n    b = a.strip()\n    go(b)\n    c = look_up(a)\n    go(c)\n"
        "    with a as d:\n        go(d)\n    go('x' if a else 'y')\n"
    )
    sinks = {(line, "go"): Sink("m.go") for line in (3, 5, 7, 8)}
    question = Question({"f": "tool"}, {}, sinks, frozenset({"strip"}))
    assert [(each.line, each.through) for each in trace(tree, question)] == [(3, "b"), (7, "d")]
