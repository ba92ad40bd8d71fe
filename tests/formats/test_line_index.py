import time

from keepwall.formats.line_index import LineIndex


def test_lines_are_found_in_any_order():
    index = LineIndex("a\nb\nc\nb\n")
    assert [index.at(each) for each in ("b", "c", "b", "a", "z", "")] == [2, 3, 4, 1, 0, 0]


def test_many_questions_without_an_answer_stay_cheap():
    index = LineIndex("x" * 5_000_000)
    started = time.process_time()
    assert {index.at(f"no{number}") for number in range(20_000)} == {0}
    assert time.process_time() - started < 3
