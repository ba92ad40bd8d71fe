import pytest

from keepwall.formats.compose import is_compose, read_compose
from keepwall.formats.dockerfile import (
    command_words,
    environment_pairs,
    parse_image,
    read_dockerfile,
    substitute,
)
from keepwall.formats.kubernetes import read_kubernetes
from keepwall.formats.safe_yaml import load_yaml
from keepwall.formats.workflow import is_pinned_action, read_workflow


def test_dockerfile_stages_continuations_and_heredocs():
    text = (
        "# syntax=docker/dockerfile:1\nARG TAG=1.0\nFROM python:${TAG} AS build\nRUN pip "
        "install \\\n"
        "    # why\n    torch && \\\n    vllm\nRUN <<EOF\nFROM inside\nEOF\nFROM scratch\nCMD "
        '["vllm", "serve"]\n'
    )
    found = list(read_dockerfile(text))
    assert [(each.instruction, each.stage, each.line) for each in found] == [
        ("ARG", "", 2),
        ("FROM", "build", 3),
        ("RUN", "build", 4),
        ("RUN", "build", 8),
        ("FROM", "1", 11),
        ("CMD", "1", 12),
    ]
    assert found[2].value.split() == ["pip", "install", "torch", "&&", "vllm"]
    assert "FROM inside" in found[3].value
    assert command_words(found[5].value) == ["vllm", "serve"]


def test_a_continuation_without_an_end_ends_with_the_file():
    assert [each.line for each in read_dockerfile("FROM a \\\n" * 50_000)] == [1]


@pytest.mark.parametrize(
    ("reference", "tag", "digest", "floating"),
    [
        ("ubuntu", "", "", True),
        ("ubuntu:latest", "latest", "", True),
        ("registry:5000/a/b", "", "", True),
        ("ghcr.io/a/b:1.2", "1.2", "", False),
        ("a:latest@sha256:00", "latest", "sha256:00", False),
    ],
)
def test_image_references(reference, tag, digest, floating):
    found = parse_image(reference)
    assert (found.tag, found.digest, found.floating) == (tag, digest, floating)


def test_environment_and_variables():
    assert environment_pairs("A=1 B='two words'") == {"A": "1", "B": "two words"}
    assert environment_pairs("KEY a value") == {"KEY": "a value"}
    assert substitute("x:${V:-1}-${W}-$U", {"U": "u"}) == "x:1-${W}-u"
    assert command_words("exec 'unclosed") == ["exec", "'unclosed"]


def test_compose_services():
    documents = load_yaml(
        b"services:\n  web:\n    image: vllm/vllm-openai:v0.6\n    privileged: true\n    user: "
        b"'0:0'\n"
        b"    network_mode: host\n    ports: ['127.0.0.1:8000:8000', {target: 80, published: "
        b"8080}]\n"
        b"    environment: [A=1, B]\n    command: --model x --port 8000\n    read_only: true\n"
        b"    volumes: ['/var/run/docker.sock:/s', {source: a, target: /b, read_only: true}]\n"
        b"    deploy: {resources: {limits: {memory: 4g}, reservations: {devices: [{driver: "
        b"nvidia}]}}}\n"
        b"  built:\n    build: {context: ./app}\n"
    )
    assert is_compose(documents)
    web, built = read_compose(documents)
    container = web.container
    assert (web.name, web.line, container.line) == ("web", 2, 3)
    assert container.privileged
    assert container.host_network
    assert container.read_only_root
    assert container.gpu
    assert container.run_as_root is True
    assert built.container.run_as_root is None
    assert container.ports == ("127.0.0.1:8000:8000", "8080:80")
    assert container.environment == {"A": "1", "B": None}
    assert container.mounts == ("/var/run/docker.sock:/s", "a:/b:ro")
    assert container.limits == {"memory": "4g"}
    assert container.command == ("--model", "x", "--port", "8000")
    assert built.build == "./app"


def test_kubernetes_objects_of_any_kind():
    pod = (
        "hostNetwork: true, securityContext: {runAsNonRoot: true}, volumes: [{name: s, "
        "hostPath: {path: /run}}],"
        " containers: [{name: c, image: 'a:1', securityContext: {privileged: true, runAsUser: 0},"
        " resources: {limits: {nvidia.com/gpu: 1, memory: 1Gi}}, ports: [{containerPort: 80, "
        "hostPort: 8080}],"
        " env: [{name: A, value: x}, {name: B, valueFrom: {secretKeyRef: {name: s, key: k}}}],"
        " volumeMounts: [{name: s, mountPath: /host, readOnly: true}], command: [vllm], args: "
        "[serve]}]"
    )
    text = (
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{{pod}}}\n---\n"
        f"apiVersion: v1\nkind: List\nitems:\n- {{apiVersion: batch/v1, kind: CronJob, "
        f"metadata: {{name: j, namespace: ml}},"
        f" spec: {{jobTemplate: {{spec: {{template: {{spec: {{{pod}}}}}}}}}}}}}\n---\n"
        f"apiVersion: serving.kserve.io/v1\nkind: InferenceService\nmetadata: {{name: k}}\n"
        f"spec: {{predictor: {{{pod}}}}}\n"
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\n"
    )
    found = list(read_kubernetes(load_yaml(text.encode())))
    assert [(each.kind, each.namespace, each.name) for each in found] == [
        ("Pod", "default", "p"),
        ("CronJob", "ml", "j"),
        ("InferenceService", "default", "k"),
    ]
    for each in found:
        (container,) = each.containers
        assert container.privileged
        assert container.host_network
        assert container.run_as_root is True
        assert container.gpu
        assert container.ports == ("8080:80",)
        assert container.environment == {"A": "x", "B": None}
        assert container.mounts == ("/run:/host:ro",)
        assert container.command == ("vllm", "serve")


def test_workflows():
    workflow = read_workflow(
        load_yaml(
            b"name: CI\non: [push, pull_request_target]\njobs:\n  a:\n    runs-on: [self-hosted, "
            b"gpu]\n"
            b"    container: python:3.11\n    services: {db: {image: 'redis'}}\n    permissions: "
            b"{contents: write}\n"
            b"    steps:\n      - uses: actions/checkout@v4\n        with: {ref: '${{ "
            b"github.head_ref }}'}\n"
            b"      - run: make\n  b: {uses: ./.github/workflows/x.yml, permissions: {contents: "
            b"read}}\n"
        )
    )
    assert workflow is not None
    assert workflow.triggers == ("push", "pull_request_target")
    assert workflow.permissions == {"contents": "write"}
    assert workflow.runners == ("self-hosted", "gpu")
    assert [image for image, _ in workflow.images] == ["python:3.11", "redis"]
    steps = [
        (each.job, each.uses, each.pinned, each.run, each.checkout_ref, each.line)
        for each in workflow.steps
    ]
    assert steps == [
        ("a", "actions/checkout@v4", False, "", "${{ github.head_ref }}", 10),
        ("a", "", True, "make", "", 12),
        ("b", "./.github/workflows/x.yml", True, "", "", 13),
    ]


@pytest.mark.parametrize(
    ("uses", "pinned"),
    [
        ("a/b@" + "0" * 40, True),
        ("a/b@v1", False),
        ("a/b@main", False),
        ("./local", True),
        ("docker://a:1", False),
        ("docker://a@sha256:" + "0" * 64, True),
    ],
)
def test_pinned_actions(uses, pinned):
    assert is_pinned_action(uses) is pinned
