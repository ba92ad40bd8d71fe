from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwall.enforce.runtime.elf import interpreter, script_interpreter


def image(name: bytes, *, order: str = "<", kind: int = 3, count: int = 1, at: int = 64) -> bytes:
    header = bytearray(64)
    header[:6] = b"\x7fELF\x02" + (b"\x01" if order == "<" else b"\x02")
    struct.pack_into(order + "Q", header, 32, at)
    struct.pack_into(order + "HH", header, 54, 56, count)
    segment = struct.pack(order + "IIQQQQQQ", kind, 4, 120, 0, 0, len(name), len(name), 1)
    return bytes(header) + segment + name


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (image(b"/lib64/ld.so\0"), "/lib64/ld.so"),
        (image(b"/lib/ld.so.1\0", order=">"), "/lib/ld.so.1"),
        (image(b"/lib64/ld.so\0", kind=1), ""),
        (image(b"/lib64/ld.so\0", count=0), ""),
        (image(b"/lib64/ld.so\0", at=1 << 40), ""),
        (image(b"x" * 5000), ""),
        (image(b"/lib64/ld.so\0")[:100], ""),
        (b"\x7fELF\x01" + bytes(99), ""),
        (b"#!/usr/bin/env -S python3 -I\nx", "/usr/bin/env"),
        (b"#!   /bin/sh\n", "/bin/sh"),
        (b"#!\n/bin/sh", ""),
        (b"#!", ""),
        (b"", ""),
        (b"text", ""),
    ],
)
def test_what_a_program_names(tmp_path: Path, content: bytes, expected: str):
    program = tmp_path / "program"
    program.write_bytes(content)
    assert interpreter(program) == expected


def test_a_real_program_and_what_is_none(tmp_path: Path):
    assert "/ld-" in interpreter(Path(sys.executable).resolve())
    assert interpreter(tmp_path / "nothing") == ""
    assert interpreter(tmp_path) == ""
    assert script_interpreter(Path(sys.executable)) == ""


def test_what_a_script_names(tmp_path: Path):
    (tmp_path / "script").write_text("#!/bin/sh\n")
    assert script_interpreter(tmp_path / "script") == "/bin/sh"


def test_a_fifo_in_place_of_a_program_holds_nobody_up(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo")
    assert interpreter(tmp_path / "fifo") == script_interpreter(tmp_path / "fifo") == ""


@given(st.binary(max_size=400), st.sampled_from([b"", b"\x7fELF\x02\x01", b"#!"]))
def test_any_bytes_are_judged(tmp_path_factory: pytest.TempPathFactory, data: bytes, head: bytes):
    program = tmp_path_factory.getbasetemp() / "any"
    program.write_bytes(head + data)
    assert isinstance(interpreter(program), str)
