"""What no report shows: passwords and tokens, in URLs, sub-protocols, headers and reasons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lomond_gevent.load.plan import Plan

HIDDEN = "***"
# The longest reason that is shown, in characters.
LONGEST_REASON = 200

_SECRET = re.compile(
    "auth|cookie|token|secret|pass|pwd|key|sign|sess|jwt|bearer|credential|ticket"
    "|(?<![a-z])(?:sid|otp|code)(?![a-z])",
    re.IGNORECASE,
)
# Names of sub-protocols are shorter; a token that is sent as one is longer.
_LONGEST_NAME = 40
_USERINFO = re.compile(r"(?i)^([a-z][a-z0-9+.-]*://)[^/?#]*@")
_URL = re.compile(r"(?i)\b[a-z][a-z0-9+.-]*://[^\s'\"<>]+")
# Hiding each "1" of a text because of "?code=1" would leave nothing of it.
_SHORTEST_SECRET = 4


def is_secret(name: str) -> bool:
    """Return whether what has this name may be secret."""
    return bool(_SECRET.search(name))


def hide_secrets(url: str) -> str:
    """Return a URL without its password, and without values of its query that may be secret."""
    base, mark, query = _USERINFO.sub(rf"\1{HIDDEN}@", url).partition("?")
    pairs = (pair.partition("=") for pair in query.split("&"))
    shown = (
        f"{name}={HIDDEN}" if equals and is_secret(name) else name + equals + value
        for name, equals, value in pairs
    )
    return base + mark + "&".join(shown)


def hide_tokens(subprotocols: tuple[str, ...]) -> list[str]:
    """Return sub-protocols without tokens, which browsers send as one, or behind its name."""
    shown: list[str] = []
    is_behind_name = False
    for name in subprotocols:
        is_token = is_secret(name) or len(name) > _LONGEST_NAME
        # Each is unlike the others, as a plan wants them.
        shown.append(f"{HIDDEN}{len(shown) or ''}" if is_token or is_behind_name else name)
        is_behind_name = is_token
    return shown


def hide_in_reasons(
    reasons: Mapping[tuple[str, str], str], plan: Plan
) -> dict[tuple[str, str], str]:
    """Return reasons of errors as they may be shown: in one line, short, and without secrets."""
    secrets = find_secrets(plan)
    return {error: _hide_in_reason(text, secrets) for error, text in reasons.items()}


def find_secrets(plan: Plan) -> list[str]:
    """Return the values of a plan that no text may show, the longest first."""
    values = [value for name, value in plan.headers if is_secret(name)]
    # "Bearer abc" is not to be found by "abc" alone.
    values += [word for value in values for word in value.split()]
    for url in (plan.url or "", plan.proxy or ""):
        if found := _USERINFO.match(url):
            values += found[0].removeprefix(found[1]).rstrip("@").split(":", 1)
        pairs = (pair.partition("=") for pair in url.partition("?")[2].split("&"))
        values += [value for name, _, value in pairs if is_secret(name)]
    shown = hide_tokens(plan.subprotocols)
    values += [name for name, seen in zip(plan.subprotocols, shown, strict=True) if name != seen]
    return sorted((v for v in set(values) if len(v) >= _SHORTEST_SECRET), key=len, reverse=True)


def _hide_in_reason(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    line = " ".join(_URL.sub(lambda url: hide_secrets(url[0]), text).split())
    return line if len(line) <= LONGEST_REASON else f"{line[: LONGEST_REASON - 1]}…"
