"""A WebSocket client that turns a connection into a plain stream of events.

    from lomond import WebSocket

    for event in WebSocket("wss://example.org/feed").connect():
        ...

`lomond_gevent` runs the same events on greenlets.
"""

# ruff: noqa: E402 - where modules are found is decided before the first of them is imported.

from __future__ import annotations

from lomond.protocol.compiled import prefer_compiled

prefer_compiled(__path__)

# Imported for their names here: `import lomond` gives lomond.events and the others.
from lomond import constants as constants
from lomond import errors as errors
from lomond import events as events
from lomond import response as response
from lomond import session as session
from lomond import status as status
from lomond._version import __version__ as __version__
from lomond.websocket import WebSocket as WebSocket
