import json
import time

import pytest

from keepwall.formats.terraform import (
    local_values,
    read_terraform,
    read_terraform_json,
    read_variables,
    references,
)
from keepwall.vocabulary.errors import FormatError

TEXT = """
locals {
  role = aws_iam_role.sagemaker.arn
}

resource "aws_sagemaker_model" "m" {
  name               = "claims-${var.stage}"
  execution_role_arn = local.role
  count = 3
  flag  = true
  none  = null
  minus = -3
  primary_container {
    image = "acme/serve:1"
    environment = {
      HF_MODEL_ID  : "acme/m",
      "HF_TASK"    = var.task
      (var.dynamic) = 1
    }
  }
  tag { key = "a" }
  tag { key = "b" }
  dynamic "rule" {
    for_each = var.rules
    content { port = rule.value }
  }
  list   = ["a", data.aws_x.y.id, 2.5]
  text   = <<-EOF
    hello ${x}
  EOF
  choice = var.x ? "a" : "b"
  quoted = "a\\"b"
}

data "aws_caller_identity" "me" {}
"""


def test_blocks_with_literals_and_references():
    blocks, broken = read_terraform(TEXT.encode())
    assert broken == 0
    local, model, data = blocks
    assert (model.address, model.line, model.lines["name"]) == ("aws_sagemaker_model.m", 6, 7)
    assert data.address == "data.aws_caller_identity.me"
    assert model.attributes == {
        "name": "claims-${var.stage}",
        "execution_role_arn": "${local.role}",
        "count": 3,
        "flag": True,
        "none": None,
        "minus": "${-3}",
        "primary_container": {
            "image": "acme/serve:1",
            "environment": {"HF_MODEL_ID": "acme/m", "HF_TASK": "${var.task}", "(var.dynamic)": 1},
        },
        "tag": [{"key": "a"}, {"key": "b"}],
        "rule": {"port": "${rule.value}"},
        "list": ["a", "${data.aws_x.y.id}", "2.5"],
        "text": "    hello ${x}",
        "choice": '${var.x ? "a" : "b"}',
        "quoted": 'a"b',
    }
    values = local_values([local])
    assert list(references("${local.role}", values)) == ["aws_iam_role.sagemaker"]
    assert list(references("${data.aws_x.y.id} ${aws_a_b.c[0].id}", {})) == [
        "data.aws_x.y",
        "aws_a_b.c",
    ]
    assert list(references('${lookup("aws_x_y.z", 1)} aws_a_b.c', {})) == []


def test_json_form_and_variables():
    text = json.dumps({"resource": {"aws_s3_bucket": {"b": {"bucket": "x"}}}, "data": {"t": []}})
    (block,) = read_terraform_json(text.encode())
    assert (block.address, block.attributes) == ("aws_s3_bucket.b", {"bucket": "x"})
    assert read_variables(b'size = "p4d.24xlarge"\nn = 2\n') == {"size": "p4d.24xlarge", "n": 2}
    with pytest.raises(FormatError):
        read_terraform_json(b"[]")


def test_what_is_no_hcl_is_named_by_its_line_and_the_rest_is_read():
    blocks, broken = read_terraform(
        b'resource "a" "b" {\n  x = 1\n}\nresource "c" "d" {\n  y = = 2\n'
    )
    assert broken >= 4
    assert blocks[0].attributes == {"x": 1}


@pytest.mark.parametrize(
    "text",
    [
        b"a = " + b"[" * 50_000 + b"]" * 50_000,
        b'resource "a" "b" {' + b" x {" * 50_000 + b"}" * 50_001,
        b'resource "a" "b" { x = ' + b"{ a = " * 5_000 + b"1" + b"}" * 5_001,
    ],
)
def test_deep_nesting_ends_quickly(text):
    started = time.process_time()
    try:
        read_terraform(text)
    except FormatError as error:
        assert "nested deeper" in str(error)  # noqa: PT017 - the first may also hold no block at all
    assert time.process_time() - started < 5


def test_many_values_are_refused():
    with pytest.raises(FormatError, match="more than"):
        read_terraform(b'resource "a" "b" { x = [' + b"1," * 250_000 + b"] }")
