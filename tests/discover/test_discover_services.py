import tomllib
from importlib import resources

import pytest

from keepwall.discover.catalogue import catalogue
from keepwall.discover.path_context import path_context
from keepwall.discover.service_index import SURFACES
from keepwall.discover.tree import discover_tree
from keepwall.vocabulary.asset import AssetKind, RelationKind


def scan(tmp_path, files):
    root = tmp_path / "claims"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return discover_tree(root)


def services(inventory):
    return {each.id for each in inventory.assets if each.kind in SURFACES}


def test_there_are_at_least_150_services_each_with_a_way_to_be_recognised():
    text = resources.files("keepwall.discover").joinpath("data", "services.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    known = [(role, name, ways) for role in SURFACES for name, ways in tables[role].items()]
    assert len(known) >= 150
    assert {role for role, _, _ in known} == set(SURFACES)
    for _, name, ways in known:
        assert name == name.lower()
        assert any(ways.values()), name


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from openai import OpenAI", {"provider:openai"}),
        (
            "from openai import AzureOpenAI\nAzureOpenAI()",
            {"provider:openai", "provider:azure-openai"},
        ),
        ("import qdrant_client", {"vector-store:qdrant"}),
        ("from langchain_community.vectorstores import Chroma", {"vector-store:chroma"}),
        ("from llama_index.vector_stores.qdrant import QdrantVectorStore", {"vector-store:qdrant"}),
        ("from llama_index.llms.anthropic import Anthropic", {"provider:anthropic"}),
        ("import boto3\nboto3.client('bedrock-runtime')", {"provider:aws-bedrock"}),
        ("import os\nk = os.environ['PINECONE_API_KEY']", {"vector-store:pinecone"}),
        ("import os\nk = os.getenv('WANDB_PROJECT')", {"experiment-tracker:wandb"}),
        ("URL = 'https://acme.openai.azure.com/x'", {"provider:azure-openai"}),
        ("URL = f'https://api.anthropic.com/v1/{x}'", {"provider:anthropic"}),
        ("from feast import FeatureStore", {"feature-store:feast"}),
        ("import mlflow", {"experiment-tracker:mlflow"}),
        (
            "import mlflow\nmlflow.register_model('runs:/x', 'm')",
            {"experiment-tracker:mlflow", "model-registry:mlflow"},
        ),
        ("from llm_guard import scan_output", {"guardrail:llm-guard"}),
        ("from presidio_analyzer import AnalyzerEngine", {"guardrail:presidio"}),
        ("from vllm import LLM", {"inference-server:vllm"}),
        (
            (
                "from pydantic_settings import BaseSettings\n"
                "class S(BaseSettings):\n    cohere_api_key: str\n"
            ),
            {"provider:cohere"},
        ),
    ],
)
def test_code_shows_what_it_uses(tmp_path, source, found):
    assert services(scan(tmp_path, {"app.py": source})) == found


@pytest.mark.parametrize(
    "source",
    [
        "import langchain_community",
        "import boto3\nboto3.client('s3')",
        "import redis, elasticsearch, psycopg",
        "'''See https://api.openai.com and OPENAI_API_KEY.'''",
        "NAMES = ['OPENAI_API_KEY', 'COHERE_API_KEY']",
        "HELP = 'https://huggingface.co/docs/transformers'",
        "from .openai import OpenAI",
        "from langchain_community.tools import ShellTool",
        "print('set OPENAI_API_KEY first')",
    ],
)
def test_what_only_mentions_a_service_does_not_use_it(tmp_path, source):
    assert services(scan(tmp_path, {"app.py": source})) == set()


def test_a_service_that_is_used_is_a_fact_once_in_a_file_and_a_relation(tmp_path):
    found = scan(tmp_path, {"app.py": "import qdrant_client\nfrom qdrant_client import models\n"})
    (fact,) = [each for each in found.facts if each.kind == "service.used"]
    assert fact.value == {"name": "qdrant", "role": "vector-store", "via": "import"}
    assert (fact.path, fact.line, fact.asset) == ("app.py", 1, "project:claims")
    edges = {(each.source, each.kind, each.target) for each in found.relations}
    assert ("project:claims", RelationKind.USES, "vector-store:qdrant") in edges


def test_a_container_serves_what_its_image_and_command_are(tmp_path):
    found = scan(
        tmp_path,
        {
            "compose.yaml": (
                "services:\n  db:\n    image: qdrant/qdrant:v1.9\n"
                "  llm:\n    image: ghcr.io/acme/llm\n    command: vllm serve acme/claims-7b\n"
                "    environment:\n      OPENAI_API_KEY: ${KEY}\n      EMBEDDING_MODEL: bge-x\n"
                "      CHAT_MODEL: gpt-4o-mini\n  pg:\n    image: postgres:16\n"
            ),
            "Dockerfile": "FROM ollama/ollama:0.4\nRUN ollama serve & ollama pull llama3.1:8b\n",
        },
    )
    edges = {(each.source, each.kind, each.target) for each in found.relations}
    assert {
        ("workload:claims/db", RelationKind.SERVES, "vector-store:qdrant"),
        ("workload:claims/llm", RelationKind.SERVES, "inference-server:vllm"),
        ("workload:claims/llm", RelationKind.SERVES, "hosted-model:huggingface/acme/claims-7b"),
        ("workload:claims/llm", RelationKind.USES, "provider:openai"),
        ("workload:claims/llm", RelationKind.USES, "hosted-model:openai/gpt-4o-mini"),
        ("build:Dockerfile", RelationKind.SERVES, "inference-server:ollama"),
        ("build:Dockerfile", RelationKind.USES, "hosted-model:ollama/llama3.1:8b"),
    } <= edges
    assert not any("pgvector" in each.id for each in found.assets)


def test_what_is_only_seen_in_tests_says_so_and_what_is_used_does_not(tmp_path):
    found = scan(
        tmp_path,
        {
            "tests/test_app.py": "import qdrant_client, chromadb\n",
            "app.py": "import chromadb\n",
            "docs/guide.py": "import pinecone\n",
            "examples/run.py": "import weaviate\n",
        },
    )
    contexts = {
        each.name: each.attributes.get("context", "")
        for each in found.assets
        if each.kind is AssetKind.VECTOR_STORE
    }
    assert contexts == {"qdrant": "test", "chroma": "", "pinecone": "docs", "weaviate": "example"}


@pytest.mark.parametrize(
    ("path", "context"),
    [
        ("src/app.py", ""),
        ("tests/unit/x.py", "test"),
        ("src/app.test.ts", "test"),
        ("conftest.py", "test"),
        ("docs/x.py", "docs"),
        ("examples/rag/main.py", "example"),
        ("src/testament.py", ""),
        ("src/latest/x.py", ""),
    ],
)
def test_the_context_of_a_path(path, context):
    assert path_context(path) == context


def test_hosts_schemes_images_and_prefixes_of_variables():
    index = catalogue().services
    assert [each.name for each in index.addressed("https://x.qdrant.io:6333/c")] == ["qdrant"]
    assert list(index.addressed("https://evil-qdrant.io.acme.test/")) == []
    assert list(index.addressed("https://[bad")) == []
    assert [each.name for each in index.configured("AZURE_OPENAI_DEPLOYMENT")] == ["azure-openai"]
    assert list(index.configured("MY_OPENAI_API_KEY_HELP")) == []
    assert [each.name for each in index.contained("ghcr.io:443/chroma-core/chroma:1")] == ["chroma"]
    assert list(index.contained("acme/qdrant-backup")) == []
