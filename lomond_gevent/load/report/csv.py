"""The series as CSV: one row a second, for spreadsheets and plots of one's own.

The last row is shorter than a second, as a rule. Counts are those since the row before. Behind the
columns that are always there come those of what else was measured, by the names of histograms.
"""

from __future__ import annotations

import csv
import io
from dataclasses import fields
from typing import TYPE_CHECKING

from lomond_gevent.load.report.glossary import in_order
from lomond_gevent.load.result import Latency

if TYPE_CHECKING:
    from lomond_gevent.load.report.findings import Findings

# By attribute of `Second`.
COLUMNS = {
    "time": "time (s)",
    "clients": "clients",
    "opened": "connections opened",
    "failed": "connections failed",
    "lost": "connections lost",
    "sent": "messages sent",
    "received": "messages received",
    "bytes_sent": "sent (bytes)",
    "bytes_received": "received (bytes)",
    "errors": "errors",
    "rtt_count": "round trips",
    "rtt_p50": "round trip p50 (us)",
    "rtt_p90": "round trip p90 (us)",
    "rtt_p99": "round trip p99 (us)",
    "rtt_max": "round trip max (us)",
    "lag_max": "hub lag max (us)",
    "cpu": "cpu (share of one core)",
}


def write_csv(findings: Findings) -> str:
    """Return the series as text; what was not measured in a second is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    series = findings.result.series
    names = in_order({name for second in series for name in second.latencies})
    writer.writerow([*COLUMNS.values(), *(column for name in names for column in columns_of(name))])
    for second in series:
        row = [getattr(second, name) for name in COLUMNS]
        for name in names:
            latency = second.latencies.get(name)
            row += [getattr(latency, each.name) if latency else None for each in fields(Latency)]
        writer.writerow(row)
    return text.getvalue()


def columns_of(name: str) -> list[str]:
    """Return the heads of the columns of a distribution."""
    units = ["count" if each.name == "count" else f"{each.name} (us)" for each in fields(Latency)]
    return [f"{name} {unit}" for unit in units]
