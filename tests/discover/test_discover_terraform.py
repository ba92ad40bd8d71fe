from keepwall.discover.tree import discover_tree
from keepwall.vocabulary.asset import AssetKind

MAIN = """\
resource "aws_sagemaker_notebook_instance" "lab" {
  name          = "lab"
  role_arn      = aws_iam_role.ml.arn
  instance_type = "ml.g5.xlarge"
}
resource "aws_sagemaker_model" "scorer" {
  execution_role_arn = local.role
  primary_container {
    image          = "acme/serve:1"
    model_data_url = "s3://${aws_s3_bucket.models.id}/m.tar.gz"
    environment    = { HF_MODEL_ID = "acme/m", API_TOKEN = "hunter2-is-no-secret" }
  }
}
resource "aws_sagemaker_endpoint_configuration" "scorer" {
  production_variants {
    model_name    = aws_sagemaker_model.scorer.name
    instance_type = var.size
  }
}
resource "aws_security_group" "other" { name = "x" }
resource "aws_iam_role" "ml" { name = "ml" }
locals { role = aws_iam_role.ml.arn }
variable "instance_type" { default = "p4d.24xlarge" }
"""
OTHER = """\
resource "aws_s3_bucket" "models" { bucket = "acme-models" }
resource "aws_iam_role" "web" { name = "web" }
resource "azurerm_cognitive_account" "openai" {
  kind = "OpenAI"
}
resource "azurerm_cognitive_deployment" "chat" {
  cognitive_account_id = azurerm_cognitive_account.openai.id
  model {
    format  = "OpenAI"
    name    = "gpt-4o"
    version = "2024-08-06"
  }
}
resource "google_container_node_pool" "gpus" {
  node_config {
    machine_type = "n1-standard-8"
    guest_accelerator {
      type  = "nvidia-tesla-t4"
      count = 2
    }
  }
}
resource "aws_bedrockagent_agent" "claims" {
  agent_resource_role_arn = aws_iam_role.ml.arn
  foundation_model        = "anthropic.claude-3-5-sonnet-20241022-v2:0"
}
"""


def build(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return discover_tree(root)


def test_resources_of_ai_and_how_they_hang_together(tmp_path):
    found = build(tmp_path, {"infra/main.tf": MAIN, "infra/other.tf": OTHER})
    assert found.unread == ()
    key = "cloud-resource:terraform/infra#"
    resources = {each.id for each in found.assets if each.kind is AssetKind.CLOUD_RESOURCE}
    assert resources == {
        key + name
        for name in (
            "aws_sagemaker_notebook_instance.lab",
            "aws_sagemaker_model.scorer",
            "aws_sagemaker_endpoint_configuration.scorer",
            "aws_iam_role.ml",
            "aws_iam_role.web",
            "aws_s3_bucket.models",
            "azurerm_cognitive_account.openai",
            "azurerm_cognitive_deployment.chat",
            "google_container_node_pool.gpus",
            "aws_bedrockagent_agent.claims",
        )
    }
    relations = {(each.source, str(each.kind), each.target) for each in found.relations}
    scorer = key + "aws_sagemaker_model.scorer"
    assert {
        (key + "aws_sagemaker_notebook_instance.lab", "runs_as", key + "aws_iam_role.ml"),
        (scorer, "runs_as", key + "aws_iam_role.ml"),
        (scorer, "reads", key + "aws_s3_bucket.models"),
        (scorer, "serves", "hosted-model:huggingface/acme/m"),
        (key + "aws_sagemaker_endpoint_configuration.scorer", "serves", scorer),
        (
            key + "azurerm_cognitive_deployment.chat",
            "serves",
            "hosted-model:azure-openai/gpt-4o",
        ),
        (
            key + "aws_bedrockagent_agent.claims",
            "serves",
            "hosted-model:aws-bedrock/anthropic.claude-3-5-sonnet-20241022-v2:0",
        ),
        (key + "aws_bedrockagent_agent.claims", "runs_as", key + "aws_iam_role.ml"),
    } <= relations
    surfaces = {each.name: str(each.surface) for each in found.assets}
    assert surfaces["aws_sagemaker_notebook_instance.lab"] == "notebook"
    assert surfaces["aws_bedrockagent_agent.claims"] == "agent"


def test_facts_hold_literals_and_no_secrets(tmp_path):
    found = build(tmp_path, {"main.tf": MAIN})
    facts = {
        each.value["name"]: each for each in found.facts if each.kind == "infrastructure.resource"
    }
    assert set(facts) == {"lab", "scorer", "other", "ml"}
    assert facts["lab"].line == 1
    assert facts["lab"].value["attributes"]["role_arn"] == "${aws_iam_role.ml.arn}"
    assert facts["other"].asset == f"project:{tmp_path.name}"
    assert "hunter2" not in str([each.value for each in found.facts])


def test_machines_with_accelerators(tmp_path):
    found = build(
        tmp_path,
        {
            "main.tf": MAIN,
            "other.tf": OTHER,
            "prod.tfvars": 'vm_size = "Standard_NC24ads_A100_v4"\nname = "g5.xlarge"\n',
            "small.tfvars": 'instance_type = "m5.large"\n',
            "use.tf": 'module "llm" {\n  source = "./llm"\n  instance_type = "inf2.xlarge"\n}\n',
        },
    )
    asked = {
        (each.path, each.line, each.value["vendor"], each.value["count"])
        for each in found.facts
        if each.kind == "accelerator.requested"
    }
    assert asked == {
        ("main.tf", 1, "nvidia", ""),
        ("main.tf", 23, "nvidia", ""),
        ("other.tf", 14, "nvidia", 2),
        ("prod.tfvars", 1, "nvidia", ""),
        ("use.tf", 1, "aws", ""),
    }


def test_json_form_broken_parts_and_size(tmp_path):
    found = build(
        tmp_path,
        {
            "a.tf.json": '{"resource": {"pinecone_index": {"i": {"name": "claims"}}}}',
            "b.tf": 'resource "qdrant-cloud_accounts_cluster" "c" {}\nresource "x" {\n',
            "c.tf": "#" * (2 << 20),
            "d.tf.json": "[",
        },
    )
    names = {each.name for each in found.assets if each.kind is AssetKind.CLOUD_RESOURCE}
    assert "pinecone_index.i" in names
    reasons = {each.path: each.reason for each in found.unread}
    assert set(reasons) == {"b.tf", "c.tf", "d.tf.json"}
    assert "no HCL" in reasons["b.tf"]
    assert "too many to parse" in reasons["c.tf"]
