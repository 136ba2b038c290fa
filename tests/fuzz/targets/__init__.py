"""What is fuzzed, by name. A target takes any bytes and raises where a promise is broken."""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz.targets.answer import check_answer
from tests.fuzz.targets.extensions import check_extension_header
from tests.fuzz.targets.frames import check_frames
from tests.fuzz.targets.inflater import check_inflater

__all__ = ["TARGETS"]

TARGETS: dict[str, Callable[[bytes], None]] = {
    "frames": check_frames,
    "answer": check_answer,
    "extensions": check_extension_header,
    "inflater": check_inflater,
}
