"""Every input that the fuzzer begins with, or that once broke a promise, keeps all promises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
INPUTS = sorted(path for path in CORPUS.rglob("*") if path.is_file())
# A corpus is read by people, and from the beginning in every run of the fuzzer.
MAX_SIZE = 20 * 1024


@pytest.mark.parametrize("name", TARGETS)
def test_input_of_the_corpus_breaks_no_promise(name: str) -> None:
    for path in INPUTS:
        if path.parent.name == name:
            with named(path):
                TARGETS[name](path.read_bytes())


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Name the input that breaks a promise: hundreds of them are one test, as all are quick."""
    try:
        yield
    except Exception as error:
        raise AssertionError(f"a promise is broken by {path.relative_to(CORPUS)}") from error


def test_each_target_has_a_corpus_of_small_inputs() -> None:
    assert {path.parent.name for path in INPUTS} == set(TARGETS)
    assert max(path.stat().st_size for path in INPUTS) <= MAX_SIZE


@pytest.mark.parametrize("name", TARGETS)
def test_target_takes_an_input_of_nothing(name: str) -> None:
    TARGETS[name](b"")
