import pytest

from keepwall.discover.catalogue import catalogue
from keepwall.discover.tree import discover_tree
from keepwall.vocabulary.asset import AssetKind, RelationKind


def scan(tmp_path, source, name="app.py"):
    path = tmp_path / "claims" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    return discover_tree(tmp_path / "claims")


def models(inventory):
    return {each.key for each in inventory.assets if each.kind is AssetKind.HOSTED_MODEL}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("MODEL = 'gpt-4o'", {"openai/gpt-4o"}),
        ("def ask(q, model='claude-sonnet-4-5'): ...", {"anthropic/claude-sonnet-4-5"}),
        ("import os\nM = os.getenv('LLM_MODEL', 'gpt-4o-mini')", {"openai/gpt-4o-mini"}),
        ("class C:\n    model_name: str = 'gemini-2.0-flash'", {"google/gemini-2.0-flash"}),
        (
            "from pydantic import Field\nclass C:\n    model: str = Field(default='command-r')",
            {"cohere/command-r"},
        ),
        ("p.add_argument('--model', default='o3-mini')", {"openai/o3-mini"}),
        ("c = {'model': 'mistral-large-latest'}", {"mistral/mistral-large-latest"}),
        (
            "MODELS = {'fast': 'gpt-4o-mini', 'best': 'gpt-4o'}",
            {"openai/gpt-4o-mini", "openai/gpt-4o"},
        ),
        ("cfg.get('model', 'gpt-4.1')", {"openai/gpt-4.1"}),
        ("getattr(c, 'model', 'gpt-4.1')", {"openai/gpt-4.1"}),
        ("self_model = x or 'gpt-4o'", {"openai/gpt-4o"}),
        ("run(model='ollama/llama3')", {"ollama/llama3"}),
        ("run(model='openai:/gpt-4')", {"openai/gpt-4"}),
        ("embedding_model = 'BAAI/bge-m3'", {"huggingface/baai/bge-m3"}),
        ("run(model='openai/whisper-large-v3')", {"huggingface/openai/whisper-large-v3"}),
        (
            "from sentence_transformers import SentenceTransformer as S\nS('all-MiniLM-L6-v2')",
            {"huggingface/sentence-transformers/all-minilm-l6-v2"},
        ),
        (
            (
                "from openai import OpenAI\ndef f(m='gpt-4o'):\n"
                "    OpenAI().chat.completions.create(model=m)"
            ),
            {"openai/gpt-4o"},
        ),
        (
            "from openai import AzureOpenAI\nAzureOpenAI().chat.completions.create(model='gpt-4o')",
            {"azure-openai/gpt-4o"},
        ),
        (
            "from llama_index.llms.anthropic import Anthropic\nAnthropic(model='claude-3-opus')",
            {"anthropic/claude-3-opus"},
        ),
    ],
)
def test_models_are_found_where_code_names_them(tmp_path, source, found):
    assert models(scan(tmp_path, source)) == found


@pytest.mark.parametrize(
    "source",
    [
        "if model == 'gpt-4': pass",
        "if model in ('gpt-4', 'gpt-4o'): pass",
        "model.startswith('gpt-4')",
        "raise ValueError('gpt-4')",
        "raise BadModelError(model='gpt-4')",
        "WINDOWS = {'gpt-4': 8192, 'gpt-4o': 128000}",
        "model_type = 'llama'",
        "model = 'test-model'",
        "model = 'your-model'",
        "MODEL = 'n/a'",
        "model = 'gpt-4-{size}'",
        "SUPPORTED_VISION_MODELS = ['gpt-4o', 'gpt-4.1']",
        "import tiktoken\nencoding = tiktoken.encoding_for_model('gpt-4')",
        "action = 'bedrock:ListGuardrails'",
        "model_path = './weights/model.gguf'",
        "template = 'gpt-4'",
    ],
)
def test_what_names_no_model_in_use_gives_none(tmp_path, source):
    assert models(scan(tmp_path, source)) == set()


def test_a_table_of_what_exists_is_one_fact_and_no_asset(tmp_path):
    names = [f"gpt-4-{number:04}" for number in range(40)]
    found = scan(tmp_path, f"MODELS = {names!r}\n")
    assert models(found) == set()
    (fact,) = [each for each in found.facts if each.kind == "model.reference"]
    assert fact.value["provider"] == "table"
    assert fact.value["name"] == "40 models in MODELS"


def test_a_model_has_a_role_and_leads_to_who_hosts_it(tmp_path):
    found = scan(tmp_path, "embedding_model = 'text-embedding-3-small'\nchat_model = 'gpt-4o'\n")
    roles = {
        each.key: each.attributes["role"]
        for each in found.assets
        if each.kind is AssetKind.HOSTED_MODEL
    }
    assert roles == {"openai/text-embedding-3-small": "embedding", "openai/gpt-4o": "chat"}
    edges = {(each.source, each.kind, each.target) for each in found.relations}
    assert ("hosted-model:openai/gpt-4o", RelationKind.USES, "provider:openai") in edges


def test_a_call_and_a_constant_are_one_sighting_each_with_one_provider(tmp_path):
    found = scan(
        tmp_path,
        "from openai import AzureOpenAI\nMODEL = 'gpt-4o'\n"
        "AzureOpenAI().chat.completions.create(model=MODEL)\n",
    )
    assert models(found) == {"azure-openai/gpt-4o"}


def test_whether_a_named_model_is_pinned_is_not_known(tmp_path):
    found = scan(
        tmp_path,
        "from transformers import AutoModel\n"
        "def load(r):\n    AutoModel.from_pretrained('acme/claims', revision=r)\n"
        "embedding_model = 'BAAI/bge-m3'\n",
    )
    pinned = {
        each.value["name"]: each.value["pinned"]
        for each in found.facts
        if each.kind == "model.reference"
    }
    assert pinned == {"acme/claims": None, "BAAI/bge-m3": None}


def test_a_model_file_of_the_tree_is_linked_to_what_loads_it(tmp_path):
    root = tmp_path / "claims" / "serve"
    root.mkdir(parents=True)
    (root / "m.pkl").write_bytes(b"\x80\x04}\x94.")
    found = scan(tmp_path, "import torch\ntorch.load('m.pkl')\n", "serve/app.py")
    (file,) = [each for each in found.assets if each.kind is AssetKind.MODEL_FILE]
    edges = {(each.source, each.kind, each.target) for each in found.relations}
    assert ("project:claims", RelationKind.USES, file.id) in edges


@pytest.mark.parametrize(
    ("text", "key", "found"),
    [
        ("gpt-4o", "model", ("openai", "gpt-4o")),
        ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", "model_id", "aws-bedrock"),
        ("bedrock/anthropic.claude-v2", "model", ("aws-bedrock", "anthropic.claude-v2")),
        ("google/gemma-2-9b", "model", ("huggingface", "google/gemma-2-9b")),
        ("acme/claims-7b", "hf_model_id", ("huggingface", "acme/claims-7b")),
        ("acme/claims-7b", "model", None),
        ("gradio/frontend", "repo", None),
        ("<model>", "model", None),
        ("model.gguf", "model", None),
        ("a" * 500, "model", None),
    ],
)
def test_names(text, key, found):
    model = catalogue().models.recognise(text, key)
    if isinstance(found, str):
        assert model is not None
        assert model.provider == found
    else:
        assert (model and (model.provider, model.name)) == found


def test_calls_far_apart_are_no_table_and_entries_of_one_literal_are(tmp_path):
    calls = "\n\n\n\n\n\n\n".join(f"ask(model='gpt-4-{number:04}')" for number in range(8))
    assert len(models(scan(tmp_path, calls))) == 8
    rows = "".join(f"    {{'model': 'acme-{number}', 'size': 1}},\n" for number in range(30))
    assert models(scan(tmp_path, f"MODELS = [\n{rows}    {{'model': 'gpt-4o'}},\n]\n")) == set()


def test_a_repository_of_the_hub_that_holds_data_is_a_data_set(tmp_path):
    found = scan(
        tmp_path,
        "from huggingface_hub import snapshot_download, hf_hub_download\n"
        "snapshot_download(repo_id='acme/claims', repo_type='dataset')\n"
        "hf_hub_download('acme/demo', 'app.py', repo_type='space')\n"
        "hf_hub_download('acme/m-7b', 'config.json')\n",
    )
    assert models(found) == {"huggingface/acme/m-7b"}
    data = {each.key for each in found.assets if each.kind is AssetKind.DATASET}
    assert data == {"huggingface/acme/claims"}
