from keepwall.formats.gitlab_ci import ScriptLine, read_gitlab_ci
from keepwall.formats.safe_yaml import load_yaml

TEXT = b"""
include:
  - local: /ci/a.yml
  - project: acme/ci
    ref: main
    file: [/x.yml, /y.yml]
  - remote: https://ci.test/z.yml
  - ci/b.yml
variables: {STAGE: test}
default:
  image: python:3.12
  tags: [shared]
  before_script: [echo hi]
workflow:
  name: training
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    - if: $CI_PIPELINE_SOURCE == "schedule"
      when: never
.gpu:
  tags: [gpu, a100]
  variables: {CUDA: '1'}
.train: {extends: .gpu, image: acme/train:1}
train:
  extends: [.train]
  services: [{name: 'redis:7'}, 'postgres:16']
  script:
    - python train.py
    - [accelerate launch x.py, 'echo done']
  variables: {LR: 0.1, TOKEN: {value: x, description: y}}
  environment: {name: production}
  artifacts: {paths: [model/]}
  id_tokens: {VAULT: {aud: https://vault.test}}
  rules: [{if: $CI_COMMIT_TAG}]
lint:
  script: ruff check
  image: $IMAGE
  only: [merge_requests, master]
child:
  trigger: {include: child.yml}
bare:
  inherit: {default: false}
  script: [x]
"""


def test_jobs_take_what_templates_and_defaults_give():
    pipeline = read_gitlab_ci(load_yaml(TEXT))
    train, lint, child, bare = pipeline.jobs
    assert pipeline.name == "training"
    assert pipeline.triggers == ("merge_request", "tag", "master")
    assert train.images == (("acme/train:1", 25), ("redis:7", 26), ("postgres:16", 26))
    assert train.runner == ("gpu", "a100")
    assert train.variables == {"CUDA": "1", "LR": "0.1", "TOKEN": "x"}
    assert [each.text for each in train.script] == [
        "echo hi",
        "python train.py",
        "accelerate launch x.py",
        "echo done",
    ]
    assert train.script[1] == ScriptLine("python train.py", 28)
    assert (train.environment, train.artifacts, train.tokens) == (
        "production",
        ("model/",),
        ("VAULT",),
    )
    assert (train.triggers, lint.triggers) == (("tag",), ("merge_request", "master"))
    assert (lint.images, lint.runner) == ((), ("shared",))
    assert child.trigger == "child.yml"
    assert (bare.runner, bare.images) == ((), ())


def test_includes_are_named():
    assert read_gitlab_ci(load_yaml(TEXT)).includes == (
        ("local:/ci/a.yml", 3),
        ("acme/ci:/x.yml@main", 4),
        ("acme/ci:/y.yml@main", 4),
        ("remote:https://ci.test/z.yml", 7),
        ("local:ci/b.yml", 2),
    )


def test_templates_that_extend_each_other_end():
    text = b"a: {extends: [b, b, b], script: [x]}\nb: {extends: [a, a, a], tags: [t]}\n"
    pipeline = read_gitlab_ci(load_yaml(text))
    assert pipeline.jobs[0].runner == ("t",)
    fan = "".join(
        f"l{level}x{at}: {{extends: [{', '.join(f'l{level + 1}x{to}' for to in range(10))}]}}\n"
        for level in range(9)
        for at in range(10)
    )
    assert len(read_gitlab_ci(load_yaml(fan.encode())).jobs) == 90


def test_a_file_that_is_no_pipeline():
    assert read_gitlab_ci(load_yaml(b"stages: [a]")) is None
    assert read_gitlab_ci(load_yaml(b"- a")) is None
