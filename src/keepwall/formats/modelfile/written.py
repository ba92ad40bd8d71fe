"""Models that are written as text: boosted trees, PMML, OpenVINO and MXNet's symbols."""

from __future__ import annotations

import re

_HEAD = 20_000
_XGBOOST = re.compile(rb'"learner"\s*:\s*\{')
_BOOSTER = re.compile(rb'"gradient_booster"|"learner_model_param"')
_PMML = re.compile(rb"<PMML[\s>]")
_OPENVINO = re.compile(rb"<net\s[^>]{0,300}version=\"\d+\"")
_SYMBOL = re.compile(rb'"arg_nodes"\s*:')
_CATBOOST = re.compile(rb'"oblivious_trees"\s*:')


def written_model(data: bytes, name: str) -> str:
    """Return the format of the model that a text is; empty where it is none.

    `name` is the file's, in lower case: it decides which formats come into question.
    """
    head, whole = data[:_HEAD], data
    if name.endswith((".txt", ".model", ".lgb")):
        return "lightgbm" if re.match(rb"tree\r?\nversion=v\d", head) else ""
    if name.endswith((".xml", ".pmml")):
        return "pmml" if _PMML.search(head) else "openvino" if _OPENVINO.search(head) else ""
    if not name.endswith(".json") or not head.lstrip().startswith(b"{"):
        return ""
    if _XGBOOST.search(head) and _BOOSTER.search(whole):
        return "xgboost"
    if _CATBOOST.search(whole) and b'"features_info"' in whole:
        return "catboost"
    return "mxnet" if _SYMBOL.search(whole) and b'"heads"' in whole and b'"nodes"' in head else ""
