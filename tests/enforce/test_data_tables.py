from __future__ import annotations

from keepwall.enforce.runtime import capabilities, kernel, tables
from keepwall.enforce.runtime.compile import baseline


def test_rows_are_the_fields_of_every_line_that_is_no_comment():
    rows = list(tables.rows("syscalls.tsv"))
    assert ["openat", "257", "56"] in rows
    assert all(len(row) == 3 for row in rows)
    assert not any(row[0].startswith("#") for row in rows)


def test_numbers_are_those_of_this_machine():
    assert kernel.numbers()["openat"] == {"x86_64": 257, "aarch64": 56}[kernel.machine()]


def test_capabilities_are_named_by_their_number():
    known = capabilities.names()
    assert known[0] == "CHOWN"
    assert known[21] == "SYS_ADMIN"
    assert known[40] == "CHECKPOINT_RESTORE"


def test_baseline_names_absolute_paths():
    assert all(path.startswith("/") for _, path in baseline())
