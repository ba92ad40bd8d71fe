from keepwall.discover.tree import discover_tree
from keepwall.vocabulary.asset import AssetKind

GITLAB = """\
include: {project: acme/ci, file: x.yml, ref: main}
variables: {STAGE: test, HF_TOKEN: not-for-show}
train:
  image: pytorch/pytorch:2.5.1
  tags: [gpu]
  id_tokens: {VAULT: {aud: https://vault.test}}
  environment: production
  script:
    - python prepare.py
    - vllm serve acme/m --api-key s3cretvalue
  rules: [{if: '$CI_PIPELINE_SOURCE == "merge_request_event"'}]
"""
CI = """\
name: ci
on: push
jobs:
  a:
    runs-on: [self-hosted, a100]
    permissions: {id-token: write}
    container: acme/ci:1
    services: {db: {image: 'postgres:16'}}
    steps:
    - uses: ./.github/actions/setup
    - uses: ./gone
  b:
    uses: ./.github/workflows/release.yml
"""


def build(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return discover_tree(root)


def facts(found, kind):
    return [each for each in found.facts if each.kind == kind]


def ids(found, kind):
    return {each.id for each in found.assets if each.kind is kind}


def test_a_pipeline_of_gitlab(tmp_path):
    found = build(tmp_path, {".gitlab-ci.yml": GITLAB})
    assert found.unread == ()
    assert ids(found, AssetKind.PIPELINE) == {"pipeline:.gitlab-ci.yml#.gitlab-ci.yml"}
    assert "image:docker.io/pytorch/pytorch:2.5.1" in ids(found, AssetKind.IMAGE)
    (workflow,) = facts(found, "pipeline.workflow")
    assert workflow.value == {
        "provider": "gitlab-ci",
        "triggers": ["merge_request"],
        "permissions": None,
        "runners": ["gpu"],
        "gpu": True,
        "id_tokens": True,
    }
    include, prepare, serve = facts(found, "pipeline.step")
    assert (include.value["uses"], include.value["pinned"]) == ("acme/ci:x.yml@main", False)
    assert (prepare.value["run"], prepare.line) == ("python prepare.py", 9)
    assert (serve.value["job"], serve.value["environment"]) == ("train", "production")
    (command,) = facts(found, "command.line")
    assert command.value["program"] == "vllm"
    assert command.value["environment"] == {"STAGE": "test", "HF_TOKEN": None}
    shown = str([each.value for each in found.facts])
    assert "s3cretvalue" not in shown
    assert "not-for-show" not in shown


def test_other_systems_are_named_and_said_not_to_be_read(tmp_path):
    files = {
        "Jenkinsfile": "pipeline {}",
        "azure-pipelines.yml": "steps: []",
        ".circleci/config.yml": "jobs: {}",
        "sub/Jenkinsfile": "node {}",
    }
    found = build(tmp_path, files)
    assert ids(found, AssetKind.PIPELINE) == {
        "pipeline:Jenkinsfile#Jenkinsfile",
        "pipeline:azure-pipelines.yml#azure-pipelines.yml",
        "pipeline:.circleci/config.yml#config.yml",
        "pipeline:sub/Jenkinsfile#Jenkinsfile",
    }
    assert {each.path for each in found.unread} == set(files)


def test_workflows_call_actions_and_workflows_of_the_repository(tmp_path):
    action = "name: Set up\nruns:\n  using: composite\n  steps:\n  - uses: a/b@v1\n"
    release = (
        "name: 'Release' # it\non: workflow_call\njobs: {r: {runs-on: x, steps: [{run: y}]}}\n"
    )
    found = build(
        tmp_path,
        {
            ".github/workflows/ci.yml": CI,
            ".github/workflows/release.yml": release,
            ".github/actions/setup/action.yml": action,
        },
    )
    calls = {(each.source, each.target) for each in found.relations if each.kind == "calls"}
    ci = "pipeline:.github/workflows/ci.yml#ci"
    assert calls == {
        (ci, "pipeline:.github/workflows/release.yml#Release"),
        (ci, "pipeline:.github/actions/setup/action.yml#Set up"),
    }
    assert {"image:docker.io/acme/ci:1", "image:docker.io/library/postgres:16"} == ids(
        found, AssetKind.IMAGE
    )
    workflow = next(each for each in facts(found, "pipeline.workflow") if each.asset == ci)
    flags = [workflow.value[name] for name in ("gpu", "self_hosted", "id_tokens")]
    assert flags == [True, True, True]
    inner = [each for each in facts(found, "pipeline.step") if each.path.endswith("action.yml")]
    assert [(each.value["uses"], each.value["pinned"]) for each in inner] == [("a/b@v1", False)]


def test_bombs_and_broken_pipelines_are_named(tmp_path):
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{after}: &{after} [{','.join(['*' + before] * 10)}]\n"
        for before, after in zip("abcdefgh", "bcdefghi", strict=True)
    )
    found = build(
        tmp_path, {".gitlab-ci.yml": bomb, ".gitlab/ci/x.yml": "a: [", "y.gitlab-ci.yml": "[" * 500}
    )
    assert len(found.unread) == 3
    assert "values" in next(each.reason for each in found.unread if each.path == ".gitlab-ci.yml")
