from keepwall.formats.safe_yaml import load_yaml
from keepwall.formats.workflow import is_gpu_label, read_action, read_workflow


def test_runners_of_a_matrix_are_written_out():
    text = b"""
on: push
jobs:
  test:
    runs-on: ${{ matrix.os }}
    strategy:
      matrix:
        os: [ubuntu-24.04, [self-hosted, gpu]]
        include: [{os: macos-15}, {other: x}]
    steps: [{run: pytest}]
  train:
    runs-on: {group: research, labels: [self-hosted, a100]}
    environment: {name: production}
    permissions: {id-token: write}
    steps: [{run: python train.py}]
  other:
    runs-on: ${{ inputs.runner }}
    environment: staging
    uses: acme/ci/.github/workflows/x.yml@main
"""
    workflow = read_workflow(load_yaml(text))
    assert workflow.runners == (
        "ubuntu-24.04",
        "self-hosted",
        "gpu",
        "macos-15",
        "a100",
        "group:research",
        "${{ inputs.runner }}",
    )
    first, train, other = workflow.steps
    assert (first.environment, first.permissions) == ("", None)
    assert (train.environment, train.permissions) == ("production", {"id-token": "write"})
    assert (other.environment, other.pinned) == ("staging", False)


def test_a_huge_matrix_is_bounded():
    names = ",".join(f"r{at}" for at in range(5_000))
    text = (
        f"jobs: {{a: {{runs-on: '${{{{ matrix.os }}}}', strategy: {{matrix: {{os: [{names}]}}}}}}}}"
    )
    assert len(read_workflow(load_yaml(text.encode())).runners) == 50


def test_composite_and_container_actions():
    text = (
        b"name: setup\nruns:\n  using: composite\n  steps:\n"
        b"    - uses: actions/setup-python@v5\n    - run: pip install torch\n      shell: bash\n"
    )
    action = read_action(load_yaml(text))
    assert (action.name, action.triggers) == ("setup", ())
    assert [(each.uses, each.run, each.line) for each in action.steps] == [
        ("actions/setup-python@v5", "", 5),
        ("", "pip install torch", 6),
    ]
    image = read_action(load_yaml(b"runs: {using: docker, image: 'docker://acme/x:1'}"))
    assert image.images == (("acme/x:1", 1),)
    assert read_action(load_yaml(b"runs: {using: docker, image: Dockerfile}")) is None
    assert read_action(load_yaml(b"runs: {using: node20, main: x.js}")) is None
    assert read_action(load_yaml(b"[]")) is None


def test_labels_of_gpus():
    for label in ("gpu", "linux_gpu_l4", "nvidia-a100", "ubuntu-gpu-t4-4core", "H100"):
        assert is_gpu_label(label)
    for label in ("ubuntu-24.04", "self-hosted", "gpup", "cat4"):
        assert not is_gpu_label(label)
