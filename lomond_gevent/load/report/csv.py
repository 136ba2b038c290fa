"""The series as CSV: one row a second, for spreadsheets and plots of one's own.

The last row is shorter than a second, as a rule. Counts are those since the row before.
"""

from __future__ import annotations

import csv
import io
from dataclasses import astuple
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lomond_gevent.load.report.findings import Findings

# In the order of the attributes of `Second`.
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
    writer.writerow(COLUMNS.values())
    for second in findings.result.series:
        writer.writerow(astuple(second))
    return text.getvalue()
