"""Deadlines as plain numbers: polls, pings, silence, and the limit on the current phase.

Nothing here reads a clock or waits: every number is in seconds of the caller's
monotonic clock, and `next_due` tells when somebody should look again. What is
done when a deadline has passed does not belong here.
"""

from __future__ import annotations

from math import inf

# Connections that poll at one rate do so together, at this many moments in each period: a process
# with thousands of them wakes 64 times where it woke thousands of times, which was half of what
# idle connections cost. The first poll comes by up to a 64th of its period later.
MOMENTS_IN_A_PERIOD = 64


class Heartbeat:
    """Keep the deadlines of one connection.

    `next_due` is never later than the nearest deadline. It may be earlier: what
    moves a deadline away does not recompute it, so that receiving costs nothing.
    """

    __slots__ = (
        "_ping_due",
        "_ping_rate",
        "_ping_timeout",
        "_poll",
        "_poll_due",
        "_silence_due",
        "limit_due",
        "next_due",
    )

    def __init__(self, poll: float, ping_rate: float | None, ping_timeout: float | None) -> None:
        """Take the three rates in seconds; 0 or None switches pings or their time-out off."""
        self._poll = poll
        self._ping_rate = ping_rate or inf
        self._ping_timeout = ping_timeout or inf
        self._poll_due = inf
        self._ping_due = inf
        self._silence_due = inf
        self.limit_due = inf
        """When the current phase has taken too long."""
        self.next_due = inf

    def start(self, now: float) -> None:
        """Begin polls and pings: the first ping is due at once, the first poll after `poll`.

        The phase before is over, and its limit with it.
        """
        self.limit_due = inf
        due = now + self._poll
        # Under a microsecond there is nothing to share, and a division that ends at 0.
        self._poll_due = due + -due % (max(self._poll, 1e-6) / MOMENTS_IN_A_PERIOD)
        self._ping_due = now if self._ping_rate < inf else inf
        self._silence_due = now + self._ping_timeout
        self._update()

    def stop_pings(self) -> None:
        """End pings and their time-out: nothing may be sent behind a Close frame."""
        self._ping_due = self._silence_due = inf
        self._update()

    def stop(self) -> None:
        """Forget every deadline."""
        self._poll_due = self.limit_due = inf
        self.stop_pings()

    def interrupt(self) -> None:
        """Have whoever goes by `next_due` look up at once."""
        self.next_due = -inf

    def set_limit(self, due: float) -> None:
        """Set the deadline of the current phase in place of the last one; inf for none."""
        self.limit_due = due
        self._update()

    def shorten_limit(self, due: float) -> None:
        """Bring the deadline of the current phase forward, if it is later."""
        self.set_limit(min(due, self.limit_due))

    def is_over_limit(self, now: float) -> bool:
        """Tell whether the current phase has taken too long."""
        return now >= self.limit_due

    def is_timed_out(self, now: float) -> bool:
        """Tell whether the limit or the silence has to be judged, by who knows what was read."""
        return now >= self.limit_due or now >= self._silence_due

    def take_poll(self, now: float) -> bool:
        """Tell whether a poll is due, and set the next: in step, or afresh after a gap."""
        if now < self._poll_due:
            return False
        self._poll_due += self._poll
        if self._poll_due <= now:
            self._poll_due = now + self._poll
        self._update()
        return True

    def take_ping(self, now: float, share: float = 1.0) -> bool:
        """Tell whether a ping is due, and set the next one after `share` of the rate.

        It goes with the last poll until then, if there is one: one wake for both.
        """
        if now < self._ping_due:
            return False
        wait = share * self._ping_rate
        due = self._ping_due + wait
        if due <= now or share < 1.0:
            # The first ones, or some were missed, which are not made up for.
            polls = (now + wait - self._poll_due) // self._poll
            due = self._poll_due + polls * self._poll if polls >= 0 else now + wait
        self._ping_due = due
        self._update()
        return True

    def measure_silence(self, now: float, last_received: float) -> float | None:
        """Return how long the peer has been silent if that is too long, else None."""
        if now < self._silence_due:
            return None
        # Compared as a sum, as it is waited for: a difference may round to just below.
        self._silence_due = last_received + self._ping_timeout
        self._update()
        return None if now < self._silence_due else now - last_received

    def await_answer(self, due: float) -> None:
        """Measure silence again at `due`."""
        self._silence_due = due
        self._update()

    def _update(self) -> None:
        self.next_due = min(self._poll_due, self._ping_due, self._silence_due, self.limit_due)
