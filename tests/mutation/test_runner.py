"""The runner of `make mutants` itself: its list, its verdict, its memory, its judge."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mutation.results import Result, find_problems
from tests.mutation.session import Session
from tests.mutation.survivors import ACCEPTED, Change, parse_accepted

pytestmark = pytest.mark.loopback  # judged in processes of their own, which takes seconds

ROOT = Path(__file__).parents[2]
LESS = Change("Reader.read", "if start > end:", "if start >= end:")
GONE = Change("module", "SIZE = 1,", "")

LIST = """\
## frames
### Either way nothing is left
Some words.

- `Reader.read`: `if start > end:` → `if start >= end:`
- `module`: `SIZE = 1,` → nothing
## client
"""


def test_the_list_has_the_survivors_of_each_module() -> None:
    assert parse_accepted(LIST) == {"frames": Counter([LESS, GONE]), "client": Counter()}


def test_what_is_printed_of_a_change_can_be_listed() -> None:
    text = f"## frames\n### Why\n- {LESS}\n- {GONE}\n"
    assert parse_accepted(text) == {"frames": Counter([LESS, GONE])}


def test_the_projects_list_can_be_read() -> None:
    assert parse_accepted(ACCEPTED.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text",
    [
        f"## frames\n- {LESS}\n",
        f"### Why\n- {LESS}\n",
        f"## frames\n### Why\n## client\n- {LESS}\n",
        "## frames\n### Why\n- `Reader.read`: `if start > end:`\n",
    ],
)
def test_an_entry_without_module_reason_or_change_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^line \d "):
        parse_accepted(text)


def result_of(killed: int, *survivors: Change) -> Result:
    return Result(Counter(killed=killed, survived=len(survivors)), list(survivors))


def test_a_module_passes_with_nine_in_ten_killed_and_the_tenth_listed() -> None:
    assert not list(find_problems("frames", result_of(9, LESS), Counter([LESS])))


def test_less_than_nine_in_ten_do_not_pass() -> None:
    (problem,) = find_problems("frames", result_of(8, LESS), Counter([LESS]))
    assert problem == "frames: 88.9% are killed, which is less than 90%"


def test_a_time_out_counts_as_killed() -> None:
    assert Result(Counter({"timed out": 3, "survived": 1}), [LESS]).share == 0.75


def test_a_survivor_that_is_not_listed_is_a_problem() -> None:
    (problem,) = find_problems("frames", result_of(20, LESS), Counter())
    assert problem.startswith("frames: survives, and is not listed\n- `Reader.read`: `if start")


def test_a_second_survivor_of_the_same_look_is_a_problem() -> None:
    assert list(find_problems("frames", result_of(20, LESS, LESS), Counter([LESS])))


def test_an_entry_that_no_survivor_answers_to_is_a_problem() -> None:
    (problem,) = find_problems("frames", result_of(20), Counter([GONE]))
    assert problem.startswith("frames: is listed, and does not survive\n- `module`: `SIZE = 1,`")


def test_a_session_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    Session(path, "module", ["one", "all"]).keep(0, "killed", "one", LESS)
    Session(path, "module", ["one", "all"]).keep(1, "survived", "all", GONE)
    assert Session(path, "module", ["one", "all"]).verdicts == {0: "killed", 1: "survived"}


def test_another_module_is_judged_afresh(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    Session(path, "module", ["one"]).keep(0, "killed", "one", LESS)
    assert not Session(path, "other module", ["one"]).verdicts
    assert not Session(path, "module", ["one"]).verdicts


def test_what_rests_on_tests_that_have_changed_is_judged_again(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    session = Session(path, "module", ["one", "two", "all"])
    for number, basis in enumerate(["one", "two", "all"]):
        session.keep(number, "killed", basis, LESS)
    assert Session(path, "module", ["one", "other two", "other all"]).verdicts == {0: "killed"}


TEST = "from paint import colour\n\n\ndef test_red():\n    assert colour.is_red()\n"
# What stands in the place of a function that returns True, and what becomes of it.
BODIES = {
    "return 1": ["survived", None],
    "return False": ["killed", "test_colour.py"],
    "return )": ["killed", "test_colour.py"],
    "while True: pass": ["timed out", None],
}


def test_the_judge_says_what_the_tests_make_of_another_source(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "paint").mkdir(parents=True)
    (tree / "paint" / "colour.py").write_text("def is_red(): return True\n")
    (tree / "test_colour.py").write_text(TEST)
    task = {"module": "paint.colour", "tests": ["test_colour.py"], "seconds": 1}
    sources = [None, *(f"def is_red():\n    {body}\n" for body in BODIES)]
    judge = subprocess.run(
        [sys.executable, "-m", "tests.mutation.judge"],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tree), str(ROOT)])},
        input="".join(json.dumps(task | {"source": source}) + "\n" for source in sources),
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=True,
    )
    answers = [json.loads(line)[:2] for line in judge.stdout.splitlines()]
    assert answers == [["survived", None], *BODIES.values()]


def test_neither_annotations_nor_the_wording_of_errors_are_changed() -> None:
    pytest.importorskip("mutmut", reason="make mutants installs it")
    from tests.mutation.mutants import make_mutants

    source = (
        "def halve(number: int = 4) -> int | None:\n"
        "    if number % 2:\n"
        '        raise ValueError("odd" + str(number))\n'
        '    assert number, "is nothing"\n'
        "    return number // 2\n"
    )
    assert {str(mutant.change) for mutant in make_mutants(source)} == {
        "`halve`: `def halve(number: int = 4) -> int | None:` → "
        "`def halve(number: int = 5) -> int | None:`",
        "`halve`: `if number % 2:` → `if number / 2:`",
        "`halve`: `if number % 2:` → `if number % 3:`",
        "`halve`: `return number // 2` → `return number / 2`",
        "`halve`: `return number // 2` → `return number // 3`",
    }
