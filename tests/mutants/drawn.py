"""Mutants by mutmut: made, drawn by a seed, and each tried on the tests that reach its function, the quickest first."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partialmethod
from hashlib import sha256
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import mutmut.__main__ as mutmut
from mutmut.mutation import mutators, trampoline
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.state import state
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import mangled_name_from_mutant_name, orig_function_and_class_names_from_key
from mutmut.workers.isolation import ForkServerRunner

FOLDERS = ("scoring", "search", "annotations", "inference", "adapters")
EQUIVALENT = Path(__file__).with_name("equivalent.toml")

ONE_TOKEN = (
    mutators.operator_number,
    mutators.operator_name,
    mutators.operator_remove_unary_ops,
    mutators.operator_keywords,
    mutators.operator_swap_op,
    mutators.operator_if_exp,
    mutators.operator_augmented_assignment,
    mutators.operator_symmetric_string_methods_swap,
    mutators.operator_unsymmetrical_string_methods_swap,
)
"""Numbers, operators, comparisons, conditions. Not mutmut's other words of a message, None for a value and arguments left out:
they are many, and mypy or the first call notices most. Code outside functions and under decorators mutmut doesn't change."""

SECONDS = (20.0, 150.0)
"""What the tests of one mutant may take, the quickest first, and what those of one that survives may: a change that only a longer
test sees counts as unseen."""

CPU_SECONDS = 600
"""A mutant that takes more, or half as much by the clock, runs in circles: a change that was noticed."""

_REFUSED = 255

_UNNAMED = "\\\\"
"""Two backslashes in a test's id: pytest finds no test by such a name."""


@dataclass(frozen=True)
class Mutant:
    """One change of one token: mutmut's name, the function as people write it, and the changed lines before and after."""

    name: str
    path: Path
    function: str
    was: str
    became: str

    @property
    def folder(self) -> str:
        return self.path.parts[1]


def generate(jobs: int) -> list[tuple[str, Path]]:
    """Names and files of all mutants, which stand in mutants/ beside a copy of the tests."""
    mutators.mutation_operators[:] = [one for one in mutators.mutation_operators if one[1] in ONE_TOKEN]
    trampoline.set_mutant_under_test("mutant_generation")
    mutmut.copy_src_dir()
    mutmut.create_mutants(jobs)
    found, _ = mutmut.collect_source_file_mutation_data(mutant_names=())
    return [(name, Path(data.path)) for data, name, _ in found]


def draw(mutants: Iterable[tuple[str, Path]], only: Sequence[str], each: int, seed: int) -> list[Mutant]:
    """`each` mutants of every folder, or all of them for 0, by their names' hash: a change elsewhere leaves the others drawn.
    `strict=True` of a zip stays: it is an assertion, which right code never meets."""
    drawn: list[Mutant] = []
    by_hash = sorted(mutants, key=lambda one: sha256(f"{seed} {one[0]}".encode()).digest())
    for folder in FOLDERS:
        there = [one for one in by_hash if one[1].parts[1] == folder and (not only or any(fnmatch(one[0], p) for p in only))]
        drawn += islice((one for one in map(_described, there) if not _is_lax(one)), each or None)
    return drawn


def _is_lax(mutant: Mutant) -> bool:
    lax = (line.replace("strict=True", "strict=False") for line in (mutant.was, mutant.became))
    return len(set(lax)) == 1


def _described(named: tuple[str, Path]) -> Mutant:
    name, path = named
    lines = get_diff_for_mutant(name, path=path).splitlines()[2:]
    was, became = (" ".join(line[1:].strip() for line in lines if line[:1] == sign) for sign in "-+")
    function, of_class = orig_function_and_class_names_from_key(name)
    module = ".".join(path.with_suffix("").parts)
    return Mutant(name, path, ".".join(filter(None, (module, of_class, function))), was, became)


def outcomes(mutants: Sequence[Mutant], jobs: int, seconds: Sequence[float] = SECONDS) -> dict[Mutant, str]:
    """mutmut's word for each: killed, survived, timeout, "no tests" where none reaches the function; "not started" where pytest
    refused to run them, which mutmut takes for a timeout. The first run learns which tests reach what. Survivors are tried again
    on the tests that the next of `seconds` allows."""
    # That first run passed, and what it learnt holds: two checks more would run every test again.
    ForkServerRunner.run_clean_tests = lambda *_, **__: 0
    mutmut.run_forced_fail_test = lambda *_: None
    mutmut.set_mutant_under_test = _in_this_process
    mutmut.collect_or_load_stats = _learn
    for spent, limit in pairwise((0.0, *seconds)):
        ForkServerRunner.submit = partialmethod(_quickest_first, spent, limit)
        if left := [mutant.name for mutant in mutants if _status(mutant) != "killed"]:
            mutmut._run(left, jobs)
        if forgotten := [mutant.name for mutant in mutants if _status(mutant) == "not checked"]:  # other tests take part now
            mutmut._run(forgotten, jobs)
    return {mutant: _status(mutant) for mutant in mutants}


_collect_or_load_stats = mutmut.collect_or_load_stats


def _learn(*given: Any, **named: Any) -> None:
    """What runs in a process of its own (a worker, a server's guard) is known of no test: those that call its module try it."""
    _collect_or_load_stats(*given, **named)
    known = state().tests_by_mangled_function_name
    of_module: dict[str, set[str]] = {}
    for function, tests in known.items():
        of_module.setdefault(function.rpartition(".")[0], set()).update(tests)
    for data in mutmut.collect_source_file_mutation_data(mutant_names=())[1].values():
        for name in data.exit_code_by_key:
            function = mangled_name_from_mutant_name(name)
            if not known.get(function):
                known[function] = of_module.get(function.rpartition(".")[0], set())


def _in_this_process(name: str) -> None:
    """Call functions as mutmut's first run does, and leave the programs alone that tests start: in their folders there are no
    settings of mutmut's, and they would end with an error."""
    os.environ.pop("MUTANT_UNDER_TEST", None)
    trampoline._mutant_under_test = name


def _status(mutant: Mutant) -> str:
    data = SourceFileMutationData(path=mutant.path)
    data.load()
    code = data.exit_code_by_key[mutant.name]
    return "not started" if code == _REFUSED else status_by_exit_code[code]


_submit = ForkServerRunner.submit


def _quickest_first(
    self: ForkServerRunner, spent: float, limit: float, mutant_name: str, tests: list[str], _: int, estimated_time: float
) -> None:
    """Hand a mutant over with the tests that call its function, then the others of their files (what a fixture calls is known of
    the first test that asks for it only): those that take it from `spent` seconds to `limit`."""
    took = state().duration_by_test
    files = {test.partition("::")[0] for test in tests}
    beside = (test for test in took if test.partition("::")[0] in files and test not in tests)
    chosen, seconds = [], 0.0
    for test in [*sorted(tests, key=took.__getitem__), *sorted(beside, key=took.__getitem__)]:
        if _UNNAMED in test:
            continue
        seconds += took[test]
        if chosen and seconds > limit:
            break
        if seconds > spent:
            chosen.append(test)
    chosen = chosen or [min(tests, key=took.__getitem__)]  # all were tried, and without a name pytest would run everything
    _submit(self, mutant_name, chosen, CPU_SECONDS, estimated_time)


def known_equivalent() -> Mapping[tuple[str, str, str], str]:
    """Why a change of a function's line can't be noticed, by function, line before and line after."""
    table = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))
    return {(one["function"], one["was"], one["became"]): one["why"] for one in table["equivalent"]}
