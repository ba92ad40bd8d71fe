"""Formats beyond pickles: packed, in archives, by their first bytes, and hostile ones."""

import bz2
import io
import lzma
import pickle
import tarfile
import time
import zlib

import pytest
from test_model_detect import BAD, GOOD, archive, model

from keepwall.formats.modelfile.written import written_model
from keepwall.vocabulary.errors import FormatError


def tar(members: dict[str, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as target:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            target.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


PACKINGS = {
    "model.joblib": zlib.compress,
    "model.pkl.z": zlib.compress,
    "model.joblib.bz2": bz2.compress,
    "model.pkl.xz": lzma.compress,
    "model.joblib.lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
}


@pytest.mark.parametrize("name", PACKINGS)
def test_packed_pickles_are_judged_by_what_they_hold(name):
    bad, good = (model(PACKINGS[name](each), name) for each in (BAD, GOOD))
    assert bad.executes
    assert bad.imports == ("subprocess.Popen",)
    assert not good.executes
    assert not good.unread


@pytest.mark.parametrize("name", PACKINGS)
def test_a_bomb_costs_a_bounded_part_of_what_it_unpacks_to(name):
    data = PACKINGS[name](b"\x80\x04B\xff\xff\xff\x7f" + bytes(200 << 20))
    started = time.monotonic()
    found = model(data, name)
    assert found.unread
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("name", PACKINGS)
def test_a_cut_or_damaged_packing_is_named(name):
    packed = PACKINGS[name](pickle.dumps(list(range(5000))) + bytes(5000))
    damaged = packed[:6] + bytes(byte ^ 0x5A for byte in packed[6:])
    for data in (packed[:20], damaged):
        try:
            found = model(data, name)
        except FormatError:
            continue
        assert found is None or found.unread or found.format == "joblib"


@pytest.mark.parametrize(
    ("start", "kind"), [(b"\x04\x22\x4d\x18", "lz4"), (b"7z\xbc\xaf\x27\x1c", "7z")]
)
def test_a_packing_that_is_not_read_is_said_and_not_taken_for_clean(start, kind):
    found = model(start + bytes(100), "model.pt")
    assert kind in found.unread


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_weights_in_an_archive_of_nemo_are_judged(mode):
    files = {"./model_config.yaml": b"a: 1", "./model_weights.ckpt": BAD}
    assert model(tar(files, mode), "m.nemo").executes
    files["./model_weights.ckpt"] = archive({"m/data.pkl": GOOD})
    found = model(tar(files, mode), "m.nemo")
    assert (found.format, found.executes) == ("nemo", False)


def test_a_tar_of_something_else_is_no_model():
    assert model(tar({"readme": b"x"}), "backup.tar") is None
    assert model(tar({"readme": b"x"}), "backup.pt") is None


def test_sizes_that_lie_do_not_reach_beyond_the_archive():
    data = bytearray(tar({"model_config.yaml": b"a", "w.ckpt": BAD}))
    data[1024 + 124 : 1024 + 136] = b"\x80" + b"\xff" * 11
    assert model(bytes(data), "m.nemo").format == "nemo"


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (b"CBM1" + bytes(20), "m.cbm", "catboost"),
        (b"tree\nversion=v4\n", "m.model", "lightgbm"),
        (b"{L\0\0\0\0\0\0\0\x07learner{", "m.ubj", "xgboost"),
        (b"ftrt" + bytes(40), "m.engine", "tensorrt"),
        (b"\x08\x04\x12\x10\x0a\x0e", "m.mlmodel", "coreml"),
        (b"\x12\x01\0\0\0\0\0\0", "m.params", "mxnet"),
        (b"\x81\xa6params\x81\xa5dense", "flax_model.msgpack", "flax"),
        (b"MZqFpD='\n\x7f", "m.llamafile", "llamafile"),
        (b"lmgg" + bytes(40), "old.bin", "ggml"),
    ],
)
def test_formats_that_a_few_bytes_give_away(data, name, kind):
    assert model(data, name).format == kind
    assert model(b"\0" * 64, name) is None


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        (b'{"learner":{"gradient_booster":{}},"version":[3,0,0]}', "m.json", "xgboost"),
        (b'{"features_info":{},"oblivious_trees":[]}', "m.json", "catboost"),
        (b'{"nodes":[],"arg_nodes":[0],"heads":[[0,0,0]]}', "m-symbol.json", "mxnet"),
        (b'<?xml version="1.0"?><net name="m" version="11"><layers>', "m.xml", "openvino"),
        (b'<?xml version="1.0"?>\n<PMML xmlns="http://www.dmg.org/PMML-4_4">', "m.pmml", "pmml"),
        (b"tree\nversion=v4\nnum_class=1\n", "m.txt", "lightgbm"),
        (b'{"name": "learner", "nodes": []}', "package.json", ""),
        (b"tree of life\n", "notes.txt", ""),
    ],
)
def test_models_that_are_written_as_text(text, name, kind):
    assert written_model(text, name) == kind


def node(operator: str) -> bytes:
    body = b"\x0a\x01n\x12" + bytes([len(operator)]) + operator.encode()
    return b"\x0a" + bytes([len(body)]) + body


@pytest.mark.parametrize("operator", ["PyFunc", "ReadFile", "WriteFile", "EagerPyFunc"])
def test_operators_of_a_graph_that_run_code_or_touch_files(operator):
    graph = b"\x08\x01" + bytes(3 << 20) + node("Placeholder") + node(operator)
    found = model(graph, "saved_model.pb")
    assert found.executes
    assert operator in found.reason
    told = model(b"\x0a\x20documents that say " + operator.encode(), "saved_model.pb")
    assert not told.executes


def test_a_frozen_graph_is_told_from_other_protocol_buffers():
    assert model(node("Placeholder") + node("PyFunc"), "frozen.pb").executes
    assert model(b"\x0a\x05hello", "message.pb") is None


def test_a_layer_of_keras_taken_from_a_module_that_runs_things():
    config = b'{"module": "%s", "class_name": "X", "config": {}}'
    files = {"metadata.json": b"{}", "config.json": config % b"keras.layers"}
    assert not model(archive(files), "m.keras").executes
    files["config.json"] = config % b"subprocess"
    assert "subprocess" in model(archive(files), "m.keras").reason


def test_a_lambda_layer_deep_in_a_large_hdf5_file_is_found():
    start = b"\x89HDF\r\n\x1a\n" + b"keras_version"
    body = bytes(9 << 20) + b'"class_name": "Lambda"' + bytes(9 << 20)
    assert model(start + body, "m.h5").executes
    assert not model(start + bytes(9 << 20), "m.h5").executes
    assert model(b"\x89HDF\r\n\x1a\n" + bytes(1000), "measures.h5") is None


def test_types_that_a_skops_file_asks_to_trust():
    schema = (
        b'{"__class__": "Popen", "__module__": "subprocess", "content":'
        b' {"__class__": "OrderedDict", "__module__": "collections"}}'
    )
    found = model(archive({"schema.json": schema}), "m.skops")
    assert found.imports == ("subprocess.Popen", "collections.OrderedDict")
    assert found.reason == "asks to trust subprocess.Popen"


def test_an_archive_of_torchserve_is_judged_by_its_pickles():
    files = {"MAR-INF/MANIFEST.json": b"{}", "handler.py": b"", "m.pkl": GOOD}
    found = model(archive(files), "m.mar")
    assert (found.format, found.executes) == ("torchserve", False)
    assert "handler.py" in found.reason
    assert model(archive(files | {"m.pkl": BAD}), "m.mar").executes


def test_an_exported_program_is_known():
    files = {"archive/archive_format": b"pt2", "archive/models/model.json": b"{}"}
    assert model(archive(files), "m.pt2").format == "pytorch-export"
