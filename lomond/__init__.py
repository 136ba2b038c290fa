"""A WebSocket client that turns a connection into a plain stream of events.

    from lomond import WebSocket

    for event in WebSocket("wss://example.org/feed").connect():
        ...

`lomond_gevent` runs the same events on greenlets.
"""

from __future__ import annotations

# Imported for their names here: `import lomond` gives lomond.events and the others.
from lomond import constants as constants
from lomond import errors as errors
from lomond import events as events
from lomond import response as response
from lomond import session as session
from lomond import status as status
from lomond._version import __version__ as __version__
from lomond.websocket import WebSocket as WebSocket
