from keepwall.discover.tree import discover_tree
from keepwall.vocabulary.asset import AssetKind

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "llm.fullname" . }}
spec:
  template:
    spec:
      containers:
        - name: vllm
          image: "{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}"
          args: ["--model", {{ .Values.model | quote }}]
          securityContext: {{- toYaml .Values.security | nindent 12 }}
          {{- with .Values.gpus }}
          resources:
            limits:
              nvidia.com/gpu: {{ . }}
          {{- end }}
"""
HELPERS = """\
{{- define "llm.fullname" -}}
{{ printf "%s-%s" .Release.Name "server" | trunc 63 }}
{{- end }}
"""
VALUES = """\
image: {repository: vllm/vllm-openai, tag: v0.6.0}
model: acme/claims
gpus: 2
security: {privileged: true, runAsUser: 0}
"""
CHART = "apiVersion: v2\nname: llm\nversion: 1.2.3\nappVersion: v9\n"


def build(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return discover_tree(root)


def chart(folder="chart", **more):
    return {
        f"{folder}/Chart.yaml": CHART,
        f"{folder}/values.yaml": VALUES,
        f"{folder}/templates/_helpers.tpl": HELPERS,
        f"{folder}/templates/deployment.yaml": DEPLOYMENT,
        **more,
    }


def facts(found, kind):
    return [each for each in found.facts if each.kind == kind]


def ids(found, *kinds):
    return {each.id for each in found.assets if each.kind in kinds}


def test_a_chart_runs_what_its_own_values_say(tmp_path):
    found = build(tmp_path, chart())
    assert found.unread == ()
    holder = "kubernetes-object:-/default/Deployment/llm-server"
    accelerator = "accelerator:chart/templates/deployment.yaml#Deployment/llm-server"
    image = "image:docker.io/vllm/vllm-openai:v0.6.0"
    assert {holder, accelerator, image} <= {each.id for each in found.assets}
    relations = {(each.source, str(each.kind), each.target) for each in found.relations}
    assert {(holder, "uses", accelerator), (holder, "built_from", image)} <= relations
    (spec,) = facts(found, "container.spec")
    assert (spec.path, spec.line) == ("chart/templates/deployment.yaml", 10)
    assert (spec.value["privileged"], spec.value["run_as_root"]) == (True, True)
    (command,) = facts(found, "command.line")
    assert command.value["argv"] == ["vllm", "serve", "--model", "acme/claims"]
    assert command.line == 11
    (asked,) = facts(found, "accelerator.requested")
    assert asked.value == {
        "vendor": "nvidia",
        "count": 2,
        "workload": "Deployment/llm-server",
        "source": "kubernetes",
    }


def test_values_of_a_parent_count_for_its_subchart(tmp_path):
    files = chart("app/charts/llm")
    files["app/Chart.yaml"] = (
        "name: app\nversion: '1'\ndependencies:\n- {name: llm, condition: llm.enabled}\n"
        "- {name: qdrant}\n- {name: ollama, condition: ollama.enabled}\n"
    )
    values = "llm: {enabled: %s, image: {tag: v0.7.0}}\nollama: {enabled: false}\n"
    files["app/values.yaml"] = values % "true"
    found = build(tmp_path / "on", files)
    assert "image:docker.io/vllm/vllm-openai:v0.7.0" in ids(found, AssetKind.IMAGE)
    kinds = (AssetKind.VECTOR_STORE, AssetKind.INFERENCE_SERVER)
    assert "vector-store:qdrant" in ids(found, *kinds)
    assert "inference-server:ollama" not in ids(found, *kinds)
    files["app/values.yaml"] = values % "false"
    assert not ids(build(tmp_path / "off", files), AssetKind.IMAGE)


def test_what_cannot_be_evaluated_is_named_with_its_place(tmp_path):
    broken = DEPLOYMENT.replace('"{{ .Values.image.repository }}', '"{{ nope .Values.image }}')
    found = build(
        tmp_path,
        {
            **chart(),
            "chart/templates/broken.yaml": broken.replace("fullname", "fullname"),
            "chart/templates/open.yaml": "{{ if }",
        },
    )
    reasons = {each.path: each.reason for each in found.unread}
    assert reasons == {
        "chart/templates/broken.yaml": "a template whose line 10 uses the function nope, which is "
        "not known here",
        "chart/templates/open.yaml": "a template whose text is not rendered: line 1: an action is "
        "not closed",
    }
    images = {each.value["reference"] for each in facts(found, "container.image")}
    assert images == {"vllm/vllm-openai:v0.6.0"}


def test_a_chart_that_never_ends_and_one_that_is_too_large(tmp_path):
    loop = '{{ define "a" }}{{ include "a" . }}{{ include "a" . }}{{ end }}x: {{ include "a" . }}\n'
    files = chart(
        **{"chart/templates/loop.yaml": loop, "chart/templates/big.yaml": "#" * (2 << 20)}
    )
    found = build(tmp_path, files)
    reasons = {each.path: each.reason for each in found.unread}
    assert "chart/templates/loop.yaml" in reasons
    assert reasons["chart/templates/big.yaml"] == "more than is read of a chart"


def test_links_out_of_the_chart_are_not_followed(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/pod.yaml").write_text(DEPLOYMENT)
    root = tmp_path / "tree"
    build(root, chart())
    (root / "chart/templates/deployment.yaml").unlink()
    (root / "chart/templates/linked").symlink_to(tmp_path / "outside")
    (root / "chart/templates/deployment.yaml").symlink_to(tmp_path / "outside/pod.yaml")
    assert not ids(discover_tree(root), AssetKind.KUBERNETES_OBJECT)


def test_yaml_in_a_folder_of_templates_without_a_chart_is_read_as_it_is(tmp_path):
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{image: x:1}]}\n"
    found = build(tmp_path, {"templates/pod.yaml": pod})
    assert ids(found, AssetKind.KUBERNETES_OBJECT) == {"kubernetes-object:-/default/Pod/a"}


OBJECTS = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: scorer, namespace: ml}
spec:
  predictor:
    model:
      modelFormat: {name: sklearn}
      storageUri: s3://models/scorer
      resources: {limits: {nvidia.com/gpu: 1}}
---
apiVersion: kubeai.org/v1
kind: Model
metadata: {name: llama}
spec:
  url: hf://meta-llama/Llama-3.1-8B-Instruct
  resourceProfile: amd-gpu-mi300x:8
---
apiVersion: kubeflow.org/v1
kind: PyTorchJob
metadata: {name: train}
spec:
  pytorchReplicaSpecs:
    Worker:
      template:
        spec:
          containers:
            - {name: pytorch, image: 'acme/train:1', resources: {limits: {amd.com/gpu: 4}}}
---
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: nightly-}
spec:
  templates:
    - name: step
      container: {image: 'acme/step:2', command: [python, train.py]}
---
apiVersion: apps.nvidia.com/v1alpha1
kind: NIMService
metadata: {name: nim}
spec:
  image: {repository: nvcr.io/nim/meta/llama, tag: '1.8'}
  resources: {limits: {nvidia.com/gpu: 1}}
---
apiVersion: kubeflow.org/v1
kind: Notebook
metadata: {name: lab}
spec: {template: {spec: {containers: [{name: lab, image: 'jupyter/scipy-notebook:1'}]}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: not-of-interest}
"""


def test_kinds_of_objects_that_are_ai(tmp_path):
    found = build(tmp_path, {"k8s/all.yaml": OBJECTS})
    kinds = (
        AssetKind.KUBERNETES_OBJECT,
        AssetKind.INFERENCE_SERVER,
        AssetKind.TRAINING_JOB,
        AssetKind.PIPELINE,
        AssetKind.HOSTED_MODEL,
        AssetKind.ACCELERATOR,
    )
    assert ids(found, *kinds) == {
        "kubernetes-object:-/ml/InferenceService/scorer",
        "kubernetes-object:-/default/Model/llama",
        "kubernetes-object:-/default/NIMService/nim",
        "kubernetes-object:-/default/Notebook/lab",
        "inference-server:kserve",
        "inference-server:kubeai",
        "inference-server:nvidia-nim",
        "training-job:k8s/all.yaml#train",
        "pipeline:k8s/all.yaml#nightly-",
        "hosted-model:s3/models/scorer",
        "hosted-model:huggingface/meta-llama/llama-3.1-8b-instruct",
        "accelerator:k8s/all.yaml#InferenceService/scorer",
        "accelerator:k8s/all.yaml#Model/llama",
        "accelerator:k8s/all.yaml#PyTorchJob/train",
        "accelerator:k8s/all.yaml#NIMService/nim",
    }
    asked = {
        each.value["workload"]: (each.value["vendor"], each.value["count"])
        for each in facts(found, "accelerator.requested")
    }
    assert asked == {
        "InferenceService/scorer": ("nvidia", 1),
        "Model/llama": ("amd", 8),
        "PyTorchJob/train": ("amd", 4),
        "NIMService/nim": ("nvidia", 1),
    }
    surfaces = {each.id: str(each.surface) for each in found.assets}
    assert surfaces["kubernetes-object:-/default/Notebook/lab"] == "notebook"
    assert surfaces["training-job:k8s/all.yaml#train"] == "pipeline"
    relations = {(each.source, str(each.kind), each.target) for each in found.relations}
    assert {
        ("kubernetes-object:-/default/Model/llama", "uses", "inference-server:kubeai"),
        (
            "kubernetes-object:-/default/Model/llama",
            "serves",
            "hosted-model:huggingface/meta-llama/llama-3.1-8b-instruct",
        ),
        ("training-job:k8s/all.yaml#train", "built_from", "image:docker.io/acme/train:1"),
        ("pipeline:k8s/all.yaml#nightly-", "built_from", "image:docker.io/acme/step:2"),
        (
            "kubernetes-object:-/default/NIMService/nim",
            "built_from",
            "image:nvcr.io/nim/meta/llama:1.8",
        ),
    } <= relations


def test_images_that_kustomize_puts_in_place(tmp_path):
    text = "resources: [a]\nimages:\n- {name: vllm, newName: acme/vllm, newTag: '3'}\n- {name: x}\n"
    found = build(tmp_path, {"deploy/kustomization.yaml": text})
    assert ids(found, AssetKind.IMAGE) == {"image:docker.io/acme/vllm:3"}
    assert [each.line for each in facts(found, "container.image")] == [3]
