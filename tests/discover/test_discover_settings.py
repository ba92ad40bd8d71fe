import pytest

from keepwall.discover.settings_files import LARGEST
from keepwall.discover.tree import discover_tree
from keepwall.vocabulary.asset import AssetKind


def found(tmp_path, name, text):
    path = tmp_path / "claims" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    inventory = discover_tree(tmp_path / "claims")
    assert inventory.unread == ()
    kinds = {AssetKind.PROJECT, AssetKind.SECRET, AssetKind.ENDPOINT}
    return {each.id for each in inventory.assets if each.kind not in kinds}


@pytest.mark.parametrize(
    ("name", "text", "ids"),
    [
        (
            ".env",
            "OPENAI_API_KEY=\nLLM_MODEL=gpt-4o\n",
            {"provider:openai", "hosted-model:openai/gpt-4o"},
        ),
        (
            "config.yaml",
            "llm:\n  model: gpt-4o  # the big one\nvector:\n  url: https://a.qdrant.io\n",
            {"provider:openai", "hosted-model:openai/gpt-4o", "vector-store:qdrant"},
        ),
        (
            "litellm.yaml",
            (
                "model_list:\n  - model_name: best\n    litellm_params:\n"
                "      model: azure/gpt-4o-eu\n      api_base: https://acme.openai.azure.com\n"
            ),
            {"provider:azure-openai", "hosted-model:azure-openai/gpt-4o-eu"},
        ),
        (
            "settings.json",
            '{"embedding": {"model": "text-embedding-3-small"}}',
            {"provider:openai", "hosted-model:openai/text-embedding-3-small"},
        ),
        (
            "app.toml",
            '[llm]\nmodel = "claude-sonnet-4-5"\n',
            {"provider:anthropic", "hosted-model:anthropic/claude-sonnet-4-5"},
        ),
        (
            "chart/values.yaml",
            "env:\n  - name: EMBEDDING_MODEL\n    value: BAAI/bge-m3\n",
            {"hosted-model:huggingface/baai/bge-m3"},
        ),
        ("model_prices.json", '{"gpt-4o": {"model": "gpt-4o"}}', set()),
        ("config.yaml", "model: ${MODEL}\nname: gpt-4o\ntype: model\n", set()),
        ("data.json", '{"question": "which model? gpt-4o", "https://x": 1}', set()),
        ("package-lock.json", '{"model": "gpt-4o"}', set()),
    ],
)
def test_what_settings_say(tmp_path, name, text, ids):
    assert found(tmp_path, name, text) == ids


def test_a_large_file_is_data_and_no_settings(tmp_path):
    text = "model: gpt-4o\n" + "# x\n" * (LARGEST // 4)
    assert found(tmp_path, "x.yaml", text) == set()
