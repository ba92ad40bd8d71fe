"""Sessions of signed-in people: random tokens, of which the server keeps only the hash."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from keepwall.foundation.clock import Clock

IDLE = timedelta(hours=1)
LIFETIME = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser; `csrf` must accompany every unsafe request that it makes."""

    csrf: str
    started_at: datetime
    used_at: datetime


class Sessions:
    """The sessions of one process: bounded, and gone at its end, so a restart signs everyone out.

    A session ends when it was not used for `idle`, when it is older than `lifetime`, when its
    owner signs out, or when `limit` newer ones exist.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        idle: timedelta = IDLE,
        lifetime: timedelta = LIFETIME,
        limit: int = 1000,
    ) -> None:
        self._clock = clock
        self._idle = idle
        self._lifetime = lifetime
        self._limit = limit
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def start(self) -> tuple[str, Session]:
        """Begin a session; returns its token (256 random bits) and the session."""
        now = self._clock.now()
        token = secrets.token_urlsafe(32)
        session = Session(secrets.token_urlsafe(32), now, now)
        self._sessions[_digest(token)] = session
        while len(self._sessions) > self._limit:
            self._sessions.popitem(last=False)
        return token, session

    def get(self, token: str, *, touch: bool = True) -> Session | None:
        """Return the living session that `token` names; `touch` counts this as a use of it.

        Looking up by hash leaves nothing to time: an attacker cannot steer the hash of a guess.
        """
        digest = _digest(token)
        session = self._sessions.get(digest)
        if session is None:
            return None
        now = self._clock.now()
        if now - session.used_at >= self._idle or now - session.started_at >= self._lifetime:
            del self._sessions[digest]
            return None
        if touch:
            session = replace(session, used_at=now)
            self._sessions[digest] = session
        return session

    def end(self, token: str) -> None:
        """Revoke the session that `token` names, if there is one."""
        self._sessions.pop(_digest(token), None)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
