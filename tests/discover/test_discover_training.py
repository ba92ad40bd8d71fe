import time

import pytest

from keepwall.discover.training_launches import launches
from keepwall.discover.tree import discover_tree
from keepwall.vocabulary.asset import AssetKind, RelationKind


def scan(tmp_path, files):
    root = tmp_path / "claims"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return discover_tree(root)


def keys(inventory, kind):
    return {each.key for each in inventory.assets if each.kind is kind}


def test_a_training_job_knows_its_data_its_base_and_where_it_goes(tmp_path):
    found = scan(
        tmp_path,
        {
            "train.py": "from datasets import load_dataset\nfrom trl import SFTTrainer\n"
            "from transformers import AutoModelForCausalLM\ndef main():\n"
            "    data = load_dataset('acme/claims')\n"
            "    model = AutoModelForCausalLM.from_pretrained('acme/base-7b')\n"
            "    trainer = SFTTrainer(model, train_dataset=data)\n"
            "    trainer.train()\n    model.push_to_hub('acme/claims-7b')\n"
        },
    )
    job = "training-job:train.py#main"
    edges = {(each.source, each.kind, each.target) for each in found.relations}
    assert {
        ("project:claims", RelationKind.USES, job),
        (job, RelationKind.TRAINED_ON, "dataset:huggingface/acme/claims"),
        (job, RelationKind.BUILT_FROM, "hosted-model:huggingface/acme/base-7b"),
        (job, RelationKind.USES, "model-registry:huggingface"),
    } <= edges


@pytest.mark.parametrize(
    ("source", "framework"),
    [
        ("from transformers import Trainer\nTrainer().train()", "transformers"),
        ("import lightning as L\nL.Trainer().fit(m)", "lightning"),
        ("from tensorflow import keras\nkeras.Sequential().fit(x)", "tensorflow"),
        ("import xgboost as xgb\nxgb.train({}, d)", "xgboost"),
        (
            (
                "import joblib\nfrom sklearn.linear_model import Lasso\nm = Lasso()\nm.fit(x, y)\n"
                "joblib.dump(m, 'm.pkl')"
            ),
            "scikit-learn",
        ),
        (
            "import torch\no = torch.optim.AdamW(p)\nloss = f()\nloss.backward()\no.step()",
            "torch",
        ),
        ("from ultralytics import YOLO\nYOLO('yolo11n.pt').train(data='x')", "ultralytics"),
        (
            "from openai import OpenAI\nOpenAI().fine_tuning.jobs.create(model='gpt-4o')",
            "openai",
        ),
    ],
)
def test_what_trains(tmp_path, source, framework):
    found = scan(tmp_path, {"t.py": source})
    (job,) = [each for each in found.assets if each.kind is AssetKind.TRAINING_JOB]
    assert (job.key, job.attributes["framework"]) == ("t.py#t", framework)


@pytest.mark.parametrize(
    "source",
    [
        "from sklearn.linear_model import Lasso\nLasso().fit(x, y)",
        (
            "import joblib\nfrom sklearn.preprocessing import StandardScaler\n"
            "StandardScaler().fit(x)\njoblib.dump(s, 'x')"
        ),
        "import torch\nmodel = torch.nn.Linear(1, 1)\nmodel.train()",
        "from transformers import AutoTokenizer\nAutoTokenizer.from_pretrained('a/b').train()",
        "loss.backward()",
    ],
)
def test_what_does_not_train(tmp_path, source):
    assert keys(scan(tmp_path, {"t.py": source}), AssetKind.TRAINING_JOB) == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("torchrun --nproc_per_node 8 train.py --x 1", [("train.py", 1)]),
        ("# torchrun x.py\naccelerate launch src/sft.py", [("src/sft.py", 2)]),
        (
            "set -e\ndeepspeed \\\n  --num_gpus 4 \\\n  run.py\ntorchrun b.py",
            [("run.py", 2), ("b.py", 5)],
        ),
        ("RUN python -m torch.distributed.launch t.py", [("t.py", 1)]),
        ("axolotl train config.yml", [("config.yml", 1)]),
        ("pip install deepspeed-mii torchrunner", []),
        ("echo accelerate", []),
    ],
)
def test_launchers_of_training(text, found):
    assert list(launches(text)) == found


def test_launchers_in_scripts_images_and_workflows(tmp_path):
    found = scan(
        tmp_path,
        {
            "run.sh": "torchrun a.py\n",
            "Dockerfile": 'FROM x\nCMD ["torchrun", "b.py"]\n',
            ".github/workflows/t.yml": "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n"
            "    - run: accelerate launch c.py\n",
        },
    )
    assert keys(found, AssetKind.TRAINING_JOB) == {
        "run.sh#a.py",
        "Dockerfile#b.py",
        ".github/workflows/t.yml#c.py",
    }


@pytest.mark.parametrize(
    ("source", "name", "engine"),
    [
        (
            "from airflow import DAG\nwith DAG('claims', schedule=None) as d: ...",
            "claims",
            "airflow",
        ),
        (
            "from airflow.decorators import dag\n@dag(schedule=None)\ndef nightly(): ...",
            "nightly",
            "airflow",
        ),
        ("from prefect import flow\n@flow(name='Score')\ndef score(): ...", "Score", "prefect"),
        ("from prefect import flow\n@flow\ndef score(): ...", "score", "prefect"),
        ("from kfp import dsl\n@dsl.pipeline(name='p')\ndef go(): ...", "p", "kfp"),
        ("from metaflow import FlowSpec\nclass Train(FlowSpec): ...", "Train", "metaflow"),
        ("from zenml import pipeline\n@pipeline\ndef go(): ...", "go", "zenml"),
    ],
)
def test_pipelines_in_code(tmp_path, source, name, engine):
    found = scan(tmp_path, {"p.py": source})
    pipelines = {
        each.key: each.attributes["engine"]
        for each in found.assets
        if each.kind is AssetKind.PIPELINE
    }
    assert pipelines == {f"p.py#{name}": engine}


def test_pipelines_in_files_and_data_in_object_stores(tmp_path):
    found = scan(
        tmp_path,
        {
            "dvc.yaml": "stages:\n  a: {cmd: x}\n",
            "MLproject": "name: x\nentry_points: {main: {command: x}}\n",
            "load.py": "import pandas as pd\nfrom sqlalchemy import create_engine\n"
            "from datasets import load_dataset\n"
            "SOURCE = 's3://acme-claims/2024/'\npd.read_csv('gs://acme-raw/c.csv')\n"
            "create_engine('postgresql://bob:hunter2secret@db.acme.test/claims')\n"
            "load_dataset('csv', data_files='x')\nx = 's3://my-bucket/x'\n",
        },
    )
    assert keys(found, AssetKind.PIPELINE) == {"dvc.yaml#dvc", "MLproject#mlflow"}
    data = keys(found, AssetKind.DATASET)
    assert data == {
        "s3://acme-claims/2024",
        "gs://acme-raw/c.csv",
        "postgresql://db.acme.test/claims",
    }
    assert "hunter2" not in repr(found)


def test_a_script_of_many_launches_costs_linear_time():
    started = time.process_time()
    assert len(list(launches("torchrun \\\n a.py\n" * 20_000))) == 20_000
    assert time.process_time() - started < 2
