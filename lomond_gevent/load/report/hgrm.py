"""A distribution in HdrHistogram's text form, for its plotters."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from lomond_gevent.load.histogram import Histogram

if TYPE_CHECKING:
    from lomond_gevent.load.report.findings import Findings

MICROSECONDS_IN_MS = 1000.0


def write_hgrm(findings: Findings) -> str:
    """Return the percentiles of what tells most about the server, in milliseconds.

    That is the round trip where there is one, else delivery, ping, first message or connect.
    """
    main = findings.main
    histogram = main.histogram if main else Histogram()
    written = io.BytesIO()
    histogram.to_hdr().output_percentile_distribution(written, MICROSECONDS_IN_MS)
    lines = written.getvalue().decode("ascii").splitlines()
    # The library leaves this one number in the histogram's own unit.
    spread = histogram.stddev / MICROSECONDS_IN_MS
    mean = histogram.mean / MICROSECONDS_IN_MS
    moments = f"#[Mean    = {mean:12.3f}, StdDeviation   = {spread:12.3f}]"
    return "".join(f"{moments if line.startswith('#[Mean') else line}\n" for line in lines)
