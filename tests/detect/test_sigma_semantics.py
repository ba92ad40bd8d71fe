"""Random rules and events: the compiled closures against an evaluator too simple to be wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma_texts import READ, holds

from keepwall.vocabulary.event import Event, Process

TEXTS = {"TargetFilename": "target", "User": "user", "Rule": "rule"}
letters = st.text("aAb", max_size=4)
wildcards = st.text("aAb", min_size=1, max_size=2) | st.text("aAb*?", max_size=4)
patterns = st.sampled_from(["a", "^a", "a$", "a.b", "[ab]A", "(a|b)+$", ".", "A*b", r"\.", "a{2}"])


def naive_glob(pattern: str, text: str) -> bool:
    """Whether `text` as a whole matches; by the definition of ``*`` and ``?``."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return naive_glob(pattern[1:], text) or (bool(text) and naive_glob(pattern, text[1:]))
    return (
        bool(text)
        and (pattern[0] == "?" or pattern[0] == text[0])
        and naive_glob(pattern[1:], text[1:])
    )


def naive_value(modifiers: list[str], value: Any, found: Any) -> bool:
    if "exists" in modifiers:
        return bool(found) is value
    if value is None:
        return not found
    if isinstance(value, int):
        compare = {"lt": int.__lt__, "lte": int.__le__, "gt": int.__gt__, "gte": int.__ge__}
        operator = compare.get(modifiers[0] if modifiers else "", int.__eq__)
        return bool(found) and operator(found, value)
    if not found:
        return value == "" and not {"contains", "startswith", "endswith", "re"} & set(modifiers)
    if "re" in modifiers:
        flags = re.IGNORECASE if "i" in modifiers else 0
        return re.search(value, found, flags) is not None
    if "contains" in modifiers:
        value = f"*{value}*"
    if "startswith" in modifiers:
        value = f"{value}*"
    if "endswith" in modifiers:
        value = f"*{value}"
    if "cased" not in modifiers:
        value, found = value.lower(), found.lower()
    return naive_glob(value, found)


def naive_item(key: str, value: Any, event: Event) -> bool:
    name, *modifiers = key.split("|")
    found = {
        "TargetFilename": event.target,
        "User": event.process.user,
        "Rule": event.rule,
        "ProcessId": event.process.pid,
    }[name]
    plain = [each for each in modifiers if each not in ("all", "neq")]
    answers = [
        naive_value(plain, each, found) for each in (value if isinstance(value, list) else [value])
    ]
    answer = all(answers) if "all" in modifiers else any(answers)
    return not answer if "neq" in modifiers else answer


def naive_selection(selection: Any, event: Event) -> bool:
    if isinstance(selection, list):
        return any(naive_selection(each, event) for each in selection)
    return all(naive_item(key, value, event) for key, value in selection.items())


def naive_condition(tree: Any, answers: dict[str, bool]) -> bool:
    if isinstance(tree, str):
        if " of " not in tree:
            return answers[tree]
        quantifier, pattern = tree.split(" of ")
        named = [
            answer
            for name, answer in answers.items()
            if pattern == "them" or name.startswith(pattern[:-1])
        ]
        return all(named) if quantifier == "all" else any(named)
    if tree[0] == "not":
        return not naive_condition(tree[1], answers)
    left, right = (naive_condition(part, answers) for part in tree[1:])
    return left and right if tree[0] == "and" else left or right


def written(tree: Any) -> str:
    if isinstance(tree, str):
        return tree
    if tree[0] == "not":
        return f"not ({written(tree[1])})"
    return f"({written(tree[1])}) {tree[0]} ({written(tree[2])})"


@st.composite
def items(draw: st.DrawFn) -> tuple[str, Any]:
    name = draw(st.sampled_from([*TEXTS, "ProcessId"]))
    if draw(st.integers(0, 9)) == 0:
        return f"{name}|exists", draw(st.booleans())
    tail = draw(st.sampled_from(["", "|neq"]))
    if name == "ProcessId":
        modifier = draw(st.sampled_from(["", "|lt", "|lte", "|gt", "|gte"]))
        return f"{name}{modifier}{tail}", draw(st.integers(0, 4) if modifier else numbers)
    shape = draw(st.sampled_from(["", "|contains", "|startswith", "|endswith", "|re", "|re|i"]))
    if shape.startswith("|re"):
        value = draw(patterns | st.lists(patterns, min_size=1, max_size=3))
        return f"{name}{shape}{tail}", value
    cased = draw(st.sampled_from(["", "|cased"]))
    if draw(st.booleans()):
        values = draw(st.lists(wildcards, min_size=1, max_size=3))
        return f"{name}{shape}{cased}{draw(st.sampled_from(['', '|all']))}{tail}", values
    return f"{name}{shape}{cased}{tail}", draw(wildcards if shape or cased else nullable)


numbers = st.none() | st.integers(0, 4) | st.lists(st.integers(0, 4), min_size=1, max_size=3)
nullable = st.none() | wildcards
maps = st.lists(items(), min_size=1, max_size=3).map(dict)
selections = st.dictionaries(
    st.sampled_from(["sel_a", "sel_b", "odd_c"]),
    maps | st.lists(maps, min_size=1, max_size=3),
    min_size=1,
)
events = st.builds(
    lambda target, user, rule, pid: replace(
        READ, target=target, rule=rule, process=Process(pid, user=user)
    ),
    letters,
    letters,
    letters,
    st.integers(0, 4),
)


def trees(names: list[str]) -> st.SearchStrategy[Any]:
    groups = [f"{quantifier} of them" for quantifier in ("1", "any", "all")]
    if any(name.startswith("sel_") for name in names):
        groups += ["1 of sel_*", "all of sel_*"]
    return st.recursive(
        st.sampled_from([*names, *groups]),
        lambda inner: (
            st.tuples(st.just("not"), inner)
            | st.tuples(st.sampled_from(["and", "or"]), inner, inner)
        ),
        max_leaves=4,
    )


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_the_closures_mean_what_sigma_means(data: st.DataObject) -> None:
    chosen = data.draw(selections)
    tree = data.draw(trees(list(chosen)))
    happened = data.draw(events)
    answers = {name: naive_selection(each, happened) for name, each in chosen.items()}
    wanted = naive_condition(tree, answers)
    note(f"holds: {wanted}")
    assert holds({**chosen, "condition": written(tree)}, happened) is wanted


@settings(max_examples=600, deadline=None)
@given(items(), events)
def test_one_field_means_what_sigma_means(item: tuple[str, Any], happened: Event) -> None:
    key, value = item
    wanted = naive_item(key, value, happened)
    note(f"holds: {wanted}")
    assert holds({"s": {key: value}, "condition": "s"}, happened) is wanted
