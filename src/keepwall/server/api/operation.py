"""One row of the route table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keepwall.server.queries import Query
from keepwall.server.services import Services


@dataclass(frozen=True, slots=True)
class Operation:
    """A method on a path (below the prefix, with at most one parameter ``{id}``).

    `handler` gets the services, the id or an empty text, and the parsed `query`; a plain function
    runs in a worker thread, a coroutine on the event loop. Its docstring is the summary. `answer`
    is the type of what it returns.
    """

    method: str
    path: str
    handler: Callable[[Services, str, Any], Any]
    answer: Any
    query: type[Query] = Query
