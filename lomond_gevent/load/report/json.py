"""A result as JSON, for programs: everything that was measured, nothing rounded.

Its form is told by `schema.json` beside this file, and named in the document: "lomond-load/1". The
number changes when something is renamed, removed or means something else, not when it is added.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from lomond import __version__
from lomond_gevent.load.histogram import Histogram
from lomond_gevent.load.plan import Plan
from lomond_gevent.load.report.findings import Findings
from lomond_gevent.load.report.numbers import format_percentile
from lomond_gevent.load.result import Latency, Result, Second

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = "lomond-load/1"
PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0)


def write_json(findings: Findings) -> str:
    """Return the document as text."""
    return json.dumps(make_document(findings), indent=1, ensure_ascii=False) + "\n"


def make_document(findings: Findings) -> dict[str, Any]:
    """Return the document as plain data."""
    result = findings.result
    return {
        "schema": SCHEMA,
        "tool": {"name": "lomond-load", "version": __version__},
        "started": datetime.fromtimestamp(result.started, timezone.utc).isoformat(),
        "duration": result.duration,
        "connecting": result.connecting,
        "interrupted": result.interrupted,
        "stopped_because": result.stopped_because,
        "model": result.model,
        "verdict": {
            "exit_status": findings.exit_status,
            "failed": result.failed,
            "text": findings.verdict,
        },
        "plan": result.plan.to_dict(),
        "machine": dict(result.machine),
        "cpu_seconds": result.cpu_seconds,
        "peak_memory": result.peak_memory,
        "counts": dict(result.counts),
        "counts_in_time": dict(result.counts_in_time),
        "errors": [
            {"phase": phase, "kind": kind, "count": number, **example(result, phase, kind)}
            for phase, kind, number in findings.error_rows
        ],
        "close_codes": {str(code): number for code, number in sorted(result.close_codes.items())},
        "checks": [
            {"name": name, "passed": passed, "failed": failed}
            for name, (passed, failed) in result.checks.items()
        ],
        "thresholds": [
            {"text": each.text, "kept": each.is_kept, "observed": each.observed}
            for each in findings.outcomes
        ],
        "histograms": {name: describe(histogram) for name, histogram in result.histograms.items()},
        "series": [asdict(second) for second in result.series],
        "warnings": list(result.warnings),
    }


def example(result: Result, phase: str, kind: str) -> dict[str, str]:
    """Return the example of a kind of error, if there is one."""
    reason = result.reasons.get((phase, kind))
    return {"example": reason} if reason else {}


def describe(histogram: Histogram) -> dict[str, Any]:
    """Return a distribution: its summary, its buckets, and the same as an HdrHistogram."""
    has_any = bool(histogram.count)
    values = histogram.percentiles(PERCENTILES) if has_any else [None] * len(PERCENTILES)
    return {
        "count": histogram.count,
        "min": histogram.min if has_any else None,
        "max": histogram.max if has_any else None,
        "mean": histogram.mean if has_any else None,
        "stddev": histogram.stddev if has_any else None,
        "percentiles": dict(zip(map(format_percentile, PERCENTILES), values, strict=True)),
        **histogram.to_dict(),
        "hdr": histogram.encode(),
    }


def read_json(text: str) -> Result:
    """Return the result that a document was made of; what was hidden in its plan stays hidden.

    Raises ValueError for a document of another schema.
    """
    document = json.loads(text)
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise ValueError(
            f"the schema is {schema!r}, not {SCHEMA!r}: not a result that is known here"
        )
    return Result(
        plan=read_plan(document["plan"]),
        model=document["model"],
        started=datetime.fromisoformat(document["started"]).timestamp(),
        duration=document["duration"],
        interrupted=document["interrupted"],
        histograms={k: Histogram.from_dict(data) for k, data in document["histograms"].items()},
        counts=document["counts"],
        errors={(each["phase"], each["kind"]): each["count"] for each in document["errors"]},
        close_codes={int(code): number for code, number in document["close_codes"].items()},
        checks={each["name"]: (each["passed"], each["failed"]) for each in document["checks"]},
        series=[read_second(second) for second in document["series"]],
        warnings=document["warnings"],
        machine=document["machine"],
        cpu_seconds=document["cpu_seconds"],
        peak_memory=document["peak_memory"],
        connecting=document["connecting"],
        stopped_because=document["stopped_because"],
        # Older documents have neither.
        counts_in_time=document.get("counts_in_time", document["counts"]),
        reasons={
            (each["phase"], each["kind"]): each["example"]
            for each in document["errors"]
            if "example" in each
        },
    )


def read_second(data: Mapping[str, Any]) -> Second:
    """Return a second of the series; older documents have no latencies but the round trip."""
    latencies = {name: Latency(**each) for name, each in data.get("latencies", {}).items()}
    return Second(**{**data, "latencies": latencies})


def read_plan(options: Mapping[str, Any]) -> Plan:
    """Return a plan from its options; JSON has lists where it has tuples."""
    given: dict[str, Any] = dict(options)
    del given["model"]
    for name in ("sources", "subprotocols", "thresholds"):
        given[name] = tuple(given.get(name, ()))
    for name in ("headers", "stages"):
        given[name] = tuple(map(tuple, given[name]))
    return Plan(**given)


def read_schema() -> dict[str, Any]:
    """Return the JSON Schema of the documents."""
    text = files("lomond_gevent.load.report").joinpath("schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
