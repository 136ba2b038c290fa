"""Results for programs: JSON by its schema, CSV, HdrHistogram's text; and where they go."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import fields
from pathlib import Path

import jsonschema
import pytest
from hdrh.histogram import HdrHistogram

from lomond_gevent.load.plan import Plan
from lomond_gevent.load.report.csv import COLUMNS, write_csv
from lomond_gevent.load.report.files import OutputFile
from lomond_gevent.load.report.findings import Findings
from lomond_gevent.load.report.hgrm import write_hgrm
from lomond_gevent.load.report.json import make_document, read_json, read_schema, write_json
from lomond_gevent.load.result import Result, Second
from tests.load_report.synthetic import eventful_result, histogram_of, result_of, result_with

RESULTS = {
    "eventful": eventful_result(),
    "small": result_of(),
    "bare": result_of(series=[]),
    "fan-out": result_with("delivery", "connect", "timer.log in"),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_document_fits_its_schema(name: str) -> None:
    document = json.loads(write_json(Findings(RESULTS[name])))

    jsonschema.Draft202012Validator(read_schema()).validate(document)


def test_the_schema_names_every_option_and_every_column() -> None:
    schema = read_schema()
    plan = schema["properties"]["plan"]["properties"]

    assert set(plan) == {each.name for each in fields(Plan)} | {"model"}
    assert set(schema["$defs"]["second"]["properties"]) == {each.name for each in fields(Second)}


def test_the_schema_refuses_a_document_that_lacks_something() -> None:
    document = make_document(Findings(result_of()))
    del document["histograms"]["rtt"]["hdr"]

    with pytest.raises(jsonschema.ValidationError, match="'hdr' is a required property"):
        jsonschema.Draft202012Validator(read_schema()).validate(document)


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_can_be_read_back(name: str) -> None:
    result = RESULTS[name]
    again = read_json(write_json(Findings(result)))

    for each in fields(Result):
        if each.name != "plan":
            assert getattr(again, each.name) == getattr(result, each.name), each.name
    assert again.plan.to_dict() == result.plan.to_dict()


@pytest.mark.parametrize("text", ["[]", "{}", '{"schema": "lomond-load/2"}'])
def test_a_document_of_another_schema_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not 'lomond-load/1'"):
        read_json(text)


def test_secrets_are_not_in_the_document() -> None:
    assert "secret" not in write_json(Findings(eventful_result()))


def test_the_hdr_histogram_of_the_document_has_the_same_counts() -> None:
    encoded = make_document(Findings(result_of()))["histograms"]["rtt"]["hdr"]
    hdr = HdrHistogram.decode(encoded)

    assert hdr.get_total_count() == 1000
    assert hdr.get_value_at_percentile(50) == 1499


def test_csv_has_a_row_for_each_second_and_units_in_its_head() -> None:
    rows = list(csv.reader(io.StringIO(write_csv(Findings(eventful_result())))))

    assert rows[0] == list(COLUMNS.values())
    assert "round trip p99 (us)" in rows[0]
    assert len(rows) == 121
    assert [*COLUMNS, "latencies"] == [each.name for each in fields(Second)]


def test_csv_leaves_empty_what_was_not_measured() -> None:
    nothing = Second(1.0, *[0] * 10, None, None, None, None, 0, 0.0)
    text = write_csv(Findings(result_of(series=[nothing])))

    assert text.splitlines()[1] == "1.0,0,0,0,0,0,0,0,0,0,0,,,,,0,0.0"


def test_csv_has_columns_for_whatever_was_measured() -> None:
    rows = list(csv.DictReader(io.StringIO(write_csv(Findings(RESULTS["fan-out"])))))

    assert list(rows[0])[len(COLUMNS) :][:6] == [
        "connect count",
        "connect p50 (us)",
        "connect p90 (us)",
        "connect p99 (us)",
        "connect max (us)",
        "delivery count",
    ]
    assert (rows[0]["delivery p99 (us)"], rows[1]["delivery p99 (us)"]) == ("", "4000")
    assert rows[1]["timer.log in max (us)"] == "5000"


def test_a_document_from_before_there_were_other_latencies_can_be_read() -> None:
    document = make_document(Findings(result_of()))
    for second in document["series"]:
        del second["latencies"]
    for option in ("certfile", "keyfile", "sources"):
        del document["plan"][option]

    jsonschema.Draft202012Validator(read_schema()).validate(document)
    assert read_json(json.dumps(document)).series == result_of().series


def test_hgrm_is_in_milliseconds_and_ends_with_its_moments() -> None:
    lines = write_hgrm(Findings(result_of(histograms={"rtt": histogram_of(1000, 2000)})))

    assert lines.split()[:4] == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    assert "#[Mean    =        1.500, StdDeviation   =        0.500]" in lines
    assert "       2.000 1.000000000000          2\n" in lines


def test_hgrm_of_a_run_without_round_trips_is_what_tells_most_instead() -> None:
    histograms = {"connect": histogram_of(1500), "ping": histogram_of(1700)}

    assert "1.700" in write_hgrm(Findings(result_of(histograms=histograms)))


def output_to(path: Path | str) -> OutputFile:
    """Return an output whose text is "new"."""
    return OutputFile("--json", str(path), lambda findings: "new")


def test_a_check_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    old, absent = tmp_path / "old", tmp_path / "absent"
    old.write_text("old")

    output_to(old).check()
    output_to(absent).check()

    assert old.read_text() == "old"
    assert not absent.exists()


@pytest.mark.parametrize("path", [".", "missing/file"])
def test_a_check_finds_what_cannot_be_written(tmp_path: Path, path: str) -> None:
    with pytest.raises(OSError, match="directory"):
        output_to(tmp_path / path).check()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    output_to(tmp_path / "pipe").check()


def test_a_link_to_a_file_that_is_still_to_be_made_stays(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "target"
    link.symlink_to(target)

    output_to(link).check()
    assert link.is_symlink() and not target.exists()

    output_to(link).write(Findings(result_of()))
    assert target.read_text() == "new"


def test_standard_output_is_utf_8_whatever_the_terminal_speaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii"))

    OutputFile("--json", "-", lambda findings: "µ ✓").write(Findings(result_of()))

    assert written.getvalue().decode() == "µ ✓"


def test_a_name_that_is_no_text_is_written_with_escapes(tmp_path: Path) -> None:
    output = OutputFile("--json", str(tmp_path / "file"), lambda findings: "caf\udce9")

    output.write(Findings(result_of()))

    assert (tmp_path / "file").read_text() == r"caf\udce9"


def test_a_file_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("something longer")

    output_to(tmp_path / "file").write(Findings(result_of()))

    assert (tmp_path / "file").read_text() == "new"


def test_a_dash_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    output_to("-").check()
    output_to("-").write(Findings(result_of()))

    assert capsys.readouterr().out == "new"
