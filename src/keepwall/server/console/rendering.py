"""Templates and what every page of the console has in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from keepwall import __version__
from keepwall.server.console.text import ago, counted, lasted, precise, shell, toml, visible, when
from keepwall.server.queries import quote_parameter
from keepwall.vocabulary.asset import AssetKind
from keepwall.vocabulary.decision import Effect
from keepwall.vocabulary.incident import IncidentState
from keepwall.vocabulary.surface import Severity, Surface

HERE = Path(__file__).parent


class Pages:
    """Renders templates; every value is made visible and escaped, and a missing one is an error."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            finalize=visible,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            q=quote_parameter,
            shell=shell,
            when=when,
            precise=precise,
            counted=counted,
            ago=ago,
            toml=toml,
        )
        self._environment.globals.update(
            version=__version__,
            severities=tuple(reversed(Severity)),
            surfaces=tuple(Surface),
            kinds=tuple(sorted(AssetKind)),
            effects=tuple(Effect),
            states=tuple(IncidentState),
            lasted=lasted,
        )

    def render(
        self, request: Request, template: str, context: Mapping[str, Any], *, status: int = 200
    ) -> HTMLResponse:
        """Return a whole page."""
        session = request.state.session
        text = self._environment.get_template(template).render(
            **context,
            path=request.url.path,
            csrf=session.csrf if session else "",
            signed_in=session is not None,
        )
        return HTMLResponse(text, status)

    def fragment(self, template: str, macro: str, *arguments: object) -> str:
        """Return what one macro of a template makes of `arguments`: a piece of a page."""
        return str(getattr(self._environment.get_template(template).module, macro)(*arguments))
