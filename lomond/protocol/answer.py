"""The server's answer to the upgrade request, as far as it takes several reads (RFC 6455 §4.1).

Interim answers come first (`http` skips them), then the head that counts, and behind a
refusal the body that explains it. What a right answer has to say is in `handshake`; what
follows for the connection does not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass

from lomond.errors import HandshakeError
from lomond.protocol.handshake import Agreement, UpgradeRequest, check_response
from lomond.protocol.http import BodyReader, ResponseReader
from lomond.response import Response

# A repetition with the same request would get the same answer.
_FINAL_STATUS_CODES = frozenset({401, 403, 404, 405, 410})


@dataclass(frozen=True, slots=True)
class Accepted:
    """The upgrade was agreed on; `rest` are the bytes of the first frames."""

    response: Response
    agreement: Agreement
    rest: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """The upgrade was refused, by the server or by us for what the server answered."""

    response: Response
    reason: str

    @property
    def is_retryable(self) -> bool:
        """Tell whether another attempt might be answered otherwise."""
        return self.response.status_code not in _FINAL_STATUS_CODES


class AnswerReader:
    """Read the answer to one upgrade request."""

    __slots__ = ("_body", "_head", "_refused", "_request")

    def __init__(self, request: UpgradeRequest) -> None:
        self._request = request
        self._head = ResponseReader()
        # Set together once the head is a refusal, until its body is read.
        self._refused: Refused | None = None
        self._body: BodyReader | None = None

    @property
    def is_refused(self) -> bool:
        """Tell whether the head was a refusal, of which the body is still to come."""
        return self._refused is not None

    def feed(self, data: bytes) -> Accepted | Refused | None:
        """Take bytes from the server; return the answer once it is complete.

        Raises CriticalProtocolError for a head over the limits.
        """
        if self._body is not None:
            return self.conclude() if self._body.feed(data) else None
        try:
            response = self._head.feed(data)
        except HandshakeError as error:
            return Refused(Response(self._head.received), str(error))
        return None if response is None else self._judge(response, self._head.rest)

    def conclude(self) -> Refused | None:
        """Return the refusal with as much of its body as has come, None if there is none."""
        if self._refused is not None and self._body is not None:
            self._refused.response.body = self._body.body
        return self._refused

    def _judge(self, response: Response, rest: bytes) -> Accepted | Refused | None:
        try:
            return Accepted(response, check_response(response, self._request), rest)
        except HandshakeError as error:
            self._refused = Refused(response, str(error))
        if response.status_code == 101:
            return self._refused
        self._body = BodyReader(response)
        return self.conclude() if self._body.feed(rest) else None
