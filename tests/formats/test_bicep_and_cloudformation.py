import time

import pytest

from keepwall.formats.arm import read_arm, read_parameters
from keepwall.formats.bicep import read_bicep
from keepwall.formats.cloudformation import is_cloudformation, read_cloudformation
from keepwall.formats.declared import at, references
from keepwall.formats.mcp_listed import listed_servers

BICEP = """\
@description('it''s a name') // comment with { [
param name string = 'claims'
param chat string
param sku object = { name: 'S0' }
var list = [
  { name: 'a', model: { format: 'OpenAI', name: chat, version: '1' } }
  {
    name: 'b'
    model: { name: 'other-${name}', format: 'Meta' }
  }
]
resource known 'Microsoft.Storage/storageAccounts@2022-09-01' existing = {
  name: 'x'
}
resource account 'Microsoft.CognitiveServices/accounts@2023-05-01' = if (length(list) > 0) {
  name: '${name}-ai'
  sku: sku
  tags: empty(name) ? {} : {
    a: 'b'
  }
  properties: {
    disableLocalAuth: true
    text: '''
many } lines'''
  }
}
resource each 'Microsoft.CognitiveServices/accounts/deployments@2023-05-01' = [for one in list: {
  parent: account
  name: one.name
}]
module search 'br/public:avm/res/search/search-service:0.7.0' = {
  params: { name: name }
}
"""


def test_bicep_is_read_as_far_as_it_is_literal():
    found = read_bicep(BICEP, {"chat": "gpt-4o"})
    assert [(each.name, each.line) for each in found.resources] == [("account", 15), ("each", 27)]
    account, each = found.resources
    assert account.type == "Microsoft.CognitiveServices/accounts"
    assert account.properties["name"] == "claims-ai"
    assert account.properties["sku"] == {"name": "S0"}
    assert account.properties["tags"].startswith("${empty(name)")
    assert account.properties["properties"] == {"disableLocalAuth": True, "text": "many } lines"}
    assert list(references(dict(each.properties))) == [("parent", "account"), ("name", "one")]
    assert at(found.values["list"][0], "model.name") == "gpt-4o"
    assert at(found.values["list"][1], "model.name") == "other-claims"
    assert [each.type for each in found.modules] == [
        "br/public:avm/res/search/search-service:0.7.0"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "resource a 'x/y@1' = " + "[" * 200_000,
        "resource a 'x/y@1' = {\n" * 20_000,
        "var x = '''" * 40_000,
        "var x = (((\n" * 60_000,
        "param a string = " + "{a:" * 200_000,
        "/*" * 300_000,
        "var a = '${a}${a}${a}${a}'\n" * 5_000,
    ],
)
def test_hostile_bicep_ends_soon(text):
    started = time.monotonic()
    read_bicep(text)
    assert time.monotonic() - started < 10


YAML = b"""\
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Model: {Type: String, Default: amazon.nova-pro-v1:0}
  Image: {Type: String}
Resources:
  Handler:
    Type: AWS::Lambda::Function
    Properties:
      Code: {ImageUri: !Ref Image}
      Role: !GetAtt Role.Arn
      Environment: {Variables: {MODEL: !Ref Model, NAME: !Sub "${Image}-x"}}
  NotOne: {Kind: x}
"""


def test_functions_of_cloudformation_become_references():
    (found,) = read_cloudformation(YAML)
    assert (found.name, found.type, found.line) == ("Handler", "AWS::Lambda::Function", 6)
    assert found.properties["Code"] == {"ImageUri": "${Image}"}
    assert found.properties["Role"] == "${Role.Arn}"
    variables = found.properties["Environment"]["Variables"]
    assert variables == {"MODEL": "amazon.nova-pro-v1:0", "NAME": "${Image}-x"}


def test_a_template_in_json_says_the_same():
    data = (
        b'{"Resources": {"Handler": {"Type": "AWS::Lambda::Function", "Properties":'
        b' {"Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Code": {"Ref": "Image"}}}}}'
    )
    (found,) = read_cloudformation(data)
    assert found.properties == {"Role": "${Role.Arn}", "Code": "${Image}"}
    assert not is_cloudformation(b"kind: Deployment")
    assert read_cloudformation(b"[1]") == []


def test_arm_resources_nested_ones_included():
    data = b"""{"$schema": "https://x/deploymentTemplate.json#",
      "parameters": {"model": {"type": "string", "defaultValue": "gpt-4o"}}, // why not
      "resources": [{"type": "Microsoft.Resources/deployments", "name": "inner", "properties":
        {"template": {"resources": [{"type": "Microsoft.CognitiveServices/accounts/deployments",
         "name": "[concat('a', 'b')]", "properties": {"model": {"name": "[parameters('model')]"}}}]
        }}}]}"""
    outer, inner = read_arm(data)
    assert outer.name == "inner"
    assert inner.name == "deployments"
    assert at(dict(inner.properties), "properties.model.name") == "gpt-4o"
    values = (
        b'{"parameters": {"a": {"value": "${A=b}"}, "c": {"value": "${C}"}, "d": {"value": 1}}}'
    )
    assert read_parameters(values) == {"a": "b", "d": 1}


@pytest.mark.parametrize(
    "text",
    [
        'MCP_SERVERS=[{"name": "a", "url": "https://mcp.acme.test/mcp?x=1"}]\n',
        'env:\n  MCP_SERVERS: >\n    [{"name": "a", "url": "https://mcp.acme.test/mcp"}]\n',
        'MCP_SERVERS: \'{"a": {"url": "https://mcp.acme.test/mcp"}}\'\n',
        '{"MCP_SERVERS": "[{\\"name\\": \\"a\\", \\"url\\": \\"https://mcp.acme.test/mcp\\"}]"}',
    ],
)
def test_servers_in_variables(text):
    (found,) = listed_servers(text)
    assert (found.name, found.transport) == ("a", "http")
    assert found.url.startswith("https://mcp.acme.test/mcp")


@pytest.mark.parametrize(
    "text",
    [
        '# Example: MCP_SERVERS=[{"name": "a", "url": "https://mcp.acme.test/mcp"}]\n',
        "MCP_SERVERS=\n",
        "MCP_SERVERS=[{broken\n",
        "MCP_SERVERS=" + "[" * 100_000,
        "MCP_SERVERS=[1, 2]",
    ],
)
def test_what_is_no_list_of_servers_gives_none(text):
    assert list(listed_servers(text)) == []
