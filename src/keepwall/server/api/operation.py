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
    is the type of what it returns. With a `body` (JSON of that type) the handler gets that in place
    of the query; one that is `personal` gets who asks in place of the id; one that `names_one`
    answers 404 where that does not exist.
    """

    method: str
    path: str
    handler: Callable[[Services, str, Any], Any]
    answer: Any
    query: type[Query] = Query
    body: Any = None
    personal: bool = False
    names_one: bool = False
