import pytest

from keepwall.formats.manifest import (
    read_conda,
    read_package_json,
    read_pipfile,
    read_pyproject,
    read_requirements,
    read_setup_cfg,
)
from keepwall.vocabulary.errors import FormatError


def brief(dependencies):
    return [(each.name, each.version, each.pinned, each.line) for each in dependencies]


def test_requirements():
    text = (
        "# comment\n-r other.txt\n--index-url https://x\ntorch==2.1.0\nTransformers>=4,<5 ; "
        "python_version > '3'\n"
        "langchain_core[all] == 0.3.1  # why\nvllm\nmodel @ git+https://x/y@" + "a" * 40 + "\n"
        "numpy==1.26.0 \\\n    --hash=sha256:00\nhttps://example.org/x.whl\ndatasets==2.*\n"
        "./local\n"
    )
    found = list(read_requirements(text))
    assert brief(found) == [
        ("torch", "2.1.0", True, 4),
        ("transformers", ">=4,<5", False, 5),
        ("langchain-core", "0.3.1", True, 6),
        ("vllm", "", False, 7),
        ("model", "", True, 8),
        ("numpy", "1.26.0", True, 9),
        ("datasets", "==2.*", False, 12),
    ]
    assert [each.hashed for each in found] == [False, False, False, False, False, True, False]


def test_pyproject_in_all_its_tables():
    found, details = read_pyproject(
        '[build-system]\nrequires = ["hatchling"]\n[project]\nname = "x"\nlicense = {text = '
        '"MIT"}\n'
        'maintainers = [{name = "Ann"}]\ndependencies = ["torch==2.1"]\n'
        '[project.optional-dependencies]\nserve = ["vllm>=0.6"]\n'
        '[dependency-groups]\ndev = ["pytest", {include-group = "x"}]\n'
        '[tool.poetry.dependencies]\npython = "^3.11"\nopenai = "^1.0"\nlitellm = {version = '
        '"1.2.3"}\n'
        '[tool.poetry.group.dev.dependencies]\nmlflow = "*"\n'
    )
    assert {(each.name, each.version, each.pinned) for each in found} == {
        ("hatchling", "", False),
        ("torch", "2.1", True),
        ("vllm", ">=0.6", False),
        ("pytest", "", False),
        ("openai", "^1.0", False),
        ("litellm", "1.2.3", True),
        ("mlflow", "*", False),
    }
    assert (details.name, details.licence, details.owners) == ("x", "MIT", ("Ann",))


def test_pipfile_conda_setup_cfg_and_npm():
    assert brief(read_pipfile('[packages]\ntorch = "==2.1.0"\nvllm = "*"\n')) == [
        ("torch", "2.1.0", True, 2),
        ("vllm", "*", False, 3),
    ]
    conda = (
        "dependencies:\n  - python=3.11\n  - conda-forge::pytorch=2.1\n"
        "  - pip:\n    - vllm==0.6.1\n"
    )
    assert [(each.ecosystem, *brief([each])[0]) for each in read_conda(conda)] == [
        ("conda", "python", "3.11", True, 2),
        ("conda", "pytorch", "2.1", True, 3),
        ("pypi", "vllm", "0.6.1", True, 5),
    ]
    setup = (
        "[options]\ninstall_requires =\n  torch==1.0\n  vllm\n"
        "[options.extras_require]\nx = openai>1\n"
    )
    assert [each[0] for each in brief(read_setup_cfg(setup))] == ["torch", "vllm", "openai"]
    package = (
        b'{"name": "x", "license": "MIT", "dependencies": {"openai": "4.1.0", "langchain": "^0.3"}}'
    )
    found, details = read_package_json(package)
    assert brief(found) == [("openai", "4.1.0", True, 1), ("langchain", "^0.3", False, 1)]
    assert details.licence == "MIT"


@pytest.mark.parametrize("text", ["a = " + "[" * 50_000, "a = {" * 20_000, "a", "x" * 2_000_000])
def test_hostile_toml_is_refused(text):
    with pytest.raises(FormatError):
        read_pyproject(text)
