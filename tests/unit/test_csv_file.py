"""Large CSV files in batches: columns as they stand, and what is left out in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow
import pytest

from hope_bench.annotations import csv_file
from hope_bench.annotations.csv_file import LeftOut, codes, csv_batches, csv_header, equals, is_true, keep, numbers
from hope_bench.errors import HopeBenchError


def test_what_is_left_out_in_words() -> None:
    left_out = LeftOut("a.csv")
    left_out.add("bad", [])
    left_out.add("odd", ["x"], 0)
    assert (left_out.problems(), dict(left_out.counts), left_out.examples) == ((), {}, {})
    left_out.add("bad", ["a", "b", "a", "c", "d", "e"])
    left_out.add("odd", ["why"], 7)
    assert left_out.problems() == ("a.csv: 6 rows left out, bad (a, b, c, d, e).", "a.csv: 7 rows left out, odd (why).")
    left_out.add("odd", ["because"], 0)
    left_out.add("bad", ["f"])
    left_out.add("one", ["z"])
    assert left_out.problems() == (
        "a.csv: 7 rows left out, bad (a, b, c, d, e, ...).", "a.csv: 7 rows left out, odd (why, because).", "a.csv: 1 row left out, one (z).",
    )  # fmt: skip
    left_out.add("bad", ["g"])
    assert list(left_out.examples["bad"]) == list("abcdef")


FILES: dict[str, tuple[str, list[str], list[list[str]]]] = {
    "plain": ("a,b,c\n1,2,3\n4,5,6\n", ["a", "b", "c"], [["1", "3"], ["4", "6"]]),
    "semicolons": ("a;b,x;c\n1;2;3,0\n", ["a", "b,x", "c"], [["1", "3,0"]]),
    "tabs": ("a\tb\tc\n1\t2, 2\t3\n", ["a", "b", "c"], [["1", "3"]]),
    "a mark, blanks": ("\ufeff a , b,c \n 1 ,2, 3\n", ["a", "b", "c"], [["1", "3"]]),
    "blanks everywhere": (" a , b , c \n 1 , 2 , 3 \n", ["a", "b", "c"], [["1", "3"]]),
    "quotes": ('a,"b",c\n1,"x,y","3"\n', ["a", "b", "c"], [["1", "3"]]),
    "blanks before quotes": ('a, "b, b",c\n1, "2",3\n', ["a", "b, b", "c"], [["1", "3"]]),
    "a stray quote": ('a,b,c\n1,"2,3\n4,5,"6"\n', ["a", "b", "c"], [["1", "3"], ["4", '"6"']]),
    "a stray quote in the last line": ('a,b,c\n1,2,"3"\n4,5,"6', ["a", "b", "c"], [["1", "3"], ["4", "6"]]),
    "a name twice": ("a,b,c,b,,\n1,2,3,4,5,6\n", ["a", "b", "c", "b", "", ""], [["1", "3"]]),
    "no rows": ("a,b,c\n", ["a", "b", "c"], []),
}


@pytest.mark.parametrize(("text", "header", "rows"), FILES.values(), ids=FILES)
def test_tables_as_programs_write_them(text: str, header: list[str], rows: list[list[str]], tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text, encoding="utf-8")
    assert csv_header(path) == header
    left_out = LeftOut("x.csv")
    found = [list(row.values()) for batch in csv_batches(path, ("a", "c"), left_out) for row in pyarrow.table(batch).to_pylist()]
    assert (found, left_out.problems()) == (rows, ())


def test_lines_are_numbered_over_several_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "_BLOCK_BYTES", 64)
    path = tmp_path / "x.csv"
    path.write_text("a,b,a\n" + "1,2,3\n" * 30 + "9\n" + "4,5,6\n" * 30 + "8\n")
    left_out = LeftOut("x.csv")
    batches = [batch["b"].to_pylist() for batch in csv_batches(path, ("b",), left_out)]
    assert len(batches) > 2
    assert sum(batches, []) == ["2"] * 30 + ["5"] * 30
    assert left_out.problems() == ("x.csv: 2 rows left out, with too few or too many fields (line 32: '9', line 63: '8').",)


def test_lines_of_other_lengths_and_missing_columns(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"a,b\n1,2\n3\n4,5\n{'y' * 70},6,7\n")
    left_out = LeftOut("x.csv")
    (batch,) = csv_batches(path, ("b",), left_out)
    assert batch["b"].to_pylist() == ["2", "5"]
    lines = f"line 3: '3', line 5: '{'y' * 60}'"
    assert left_out.problems() == (f"x.csv: 2 rows left out, with too few or too many fields ({lines}).",)
    with pytest.raises(HopeBenchError) as caught:
        list(csv_batches(path, ("a", "c", "d"), left_out))
    assert str(caught.value) == f"{path} has no column c, d. Its first line is 'a,b'."
    path.write_text("x" * 250 + "\n")
    with pytest.raises(HopeBenchError, match=f"first line is '{'x' * 200}'"):
        list(csv_batches(path, ("a",), left_out))
    path.write_bytes(b"")
    assert csv_header(path) == []
    path.write_bytes(b"a,b\n1,\xff\n")
    with pytest.raises(HopeBenchError):
        list(csv_batches(path, ("b",), left_out))


def test_columns_as_arrays() -> None:
    text = pyarrow.array(["1", "x", "0", "", "1"])
    np.testing.assert_array_equal(numbers(text), [1, np.nan, 0, np.nan, 1])
    np.testing.assert_array_equal(numbers(pyarrow.array(["1.5", "-2"])), [1.5, -2])
    assert is_true(pyarrow.array(["1", "1.0", "True", "YES", "0", "no", ""])).tolist() == [True] * 4 + [False] * 3
    assert equals(text, "1").tolist() == [True, False, False, False, True]
    assert keep(text, np.array([True, False, False, True, False])).to_pylist() == ["1", ""]
    index = {"x": 0, "1": 5}
    assert codes(text, index).tolist() == [5, 0, -1, -1, 5]
    assert codes(text, index, grow=True).tolist() == [5, 0, 2, 3, 5]
    assert index == {"x": 0, "1": 5, "0": 2, "": 3}
    none = pyarrow.array([], pyarrow.string())
    assert [len(found) for found in (codes(none, index), is_true(none), numbers(none))] == [0, 0, 0]
