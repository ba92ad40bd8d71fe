import json

import pytest

from keepwall.formats.source.notebook import read_notebook
from keepwall.vocabulary.errors import FormatError


def notebook(*cells, **extra) -> bytes:
    return json.dumps(
        {"nbformat": 4, "metadata": {}, "cells": list(cells), **extra}, indent=1
    ).encode()


def code(*lines, outputs=()) -> dict:
    return {
        "cell_type": "code",
        "source": [f"{line}\n" for line in lines],
        "outputs": list(outputs),
    }


def test_cells_share_names_and_calls_have_lines_of_the_file():
    data = notebook(
        {"cell_type": "markdown", "source": ["# Title"]},
        code("import torch as t"),
        code("%matplotlib inline", "!pip install vllm==0.6.1 -q", "x = !ls", "t.load('model.pt')"),
    )
    found = read_notebook(data)
    (call,) = found.module.calls
    assert call.function == "torch.load"
    assert b"t.load" in data.splitlines()[call.line - 1]
    assert found.installs[0][0] == "vllm==0.6.1"
    assert b"pip install" in data.splitlines()[found.installs[0][1] - 1]
    assert found.unread == ()


def test_a_cell_that_is_no_python_is_named_and_the_rest_is_read():
    found = read_notebook(
        notebook(code("print 'old'"), code("import m", "m.f()"), code("%%bash", "ls |"))
    )
    assert [index for index, _ in found.unread] == [0]
    assert [call.function for call in found.module.calls] == ["m.f"]


def test_outputs_are_listed_with_type_and_size():
    outputs = [
        {"output_type": "stream", "text": ["a\n", "b"]},
        {"output_type": "display_data", "data": {"image/png": "AAAA", "text/html": ["<b>"]}},
        {"output_type": "error", "traceback": ["E1"]},
    ]
    found = read_notebook(notebook(code("1", outputs=outputs)))
    assert [(each.cell, each.mime, each.size) for each in found.outputs] == [
        (0, "text/plain", 3),
        (0, "image/png", 4),
        (0, "text/html", 3),
        (0, "application/vnd.jupyter.error", 2),
    ]


def test_other_languages_are_not_parsed_as_python():
    kernel = {"kernelspec": {"language": "R"}}
    data = json.dumps({"cells": [code("x <- library(torch)")], "metadata": kernel}).encode()
    assert read_notebook(data).unread == ()
    assert read_notebook(data).language == "r"


def test_version_three_is_read():
    cell = {"cell_type": "code", "input": ["import m\n", "m.f()"], "outputs": []}
    data = json.dumps({"nbformat": 3, "worksheets": [{"cells": [cell]}]}).encode()
    assert read_notebook(data).module.calls[0].function == "m.f"


@pytest.mark.parametrize("data", [b"[]", b"{}", b"", b"{", b"[" * 100_000, b'{"cells": 1}'])
def test_what_is_no_notebook_is_refused(data):
    with pytest.raises(FormatError):
        read_notebook(data)
