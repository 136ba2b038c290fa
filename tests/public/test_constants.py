"""RFC 6455 §1.3 and §4.1: the fixed words of the opening handshake."""

from __future__ import annotations

import platform

from lomond import constants
from lomond._version import __version__


def test_the_guid_is_that_of_the_rfc() -> None:
    assert constants.WS_KEY == b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def test_the_version_of_the_protocol_is_13() -> None:
    assert constants.WS_VERSION == 13


def test_the_user_agent_is_the_name_and_the_version() -> None:
    agent = constants.USER_AGENT
    assert agent == f"Lomond/{__version__}"


def test_the_user_agent_says_nothing_about_the_platform() -> None:
    assert platform.release() not in constants.USER_AGENT
    assert platform.system() not in constants.USER_AGENT
