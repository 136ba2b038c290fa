"""What the master of a fleet tells is what the server has counted, to the last message."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.locust_stats.fleet import Outcome, run_fleet

pytestmark = pytest.mark.loopback

USERS = 100


@pytest.fixture(scope="module", params=["workers", "forked"])
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Run each arrangement once."""
    directory: Path = tmp_path_factory.mktemp("fleet")
    return run_fleet(USERS, directory, is_forked=request.param == "forked")


def test_every_figure_of_the_master_is_the_servers(outcome: Outcome) -> None:
    assert outcome.mismatches() == [], outcome.log


def test_all_users_have_sent_all_of_their_requests(outcome: Outcome) -> None:
    assert outcome.requests["WSC", "say"] == USERS * 10, outcome.log


def test_the_master_exits_with_1_for_the_failures(outcome: Outcome) -> None:
    assert outcome.exit_codes[0] == 1, outcome.log
