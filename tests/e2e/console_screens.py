"""The address of every screen, of a console with something in it and of an empty one."""

from __future__ import annotations

import console_world  # noqa: F401 - puts the samples on the path
from server_samples import assets, findings

from keepwall.server.queries import quote_parameter

SCREENS = {
    "overview": "/",
    "inventory": "/inventory",
    "inventory-filtered": "/inventory?surface=agent&sort=newest",
    "graph": "/inventory/graph",
    "graph-asset": f"/inventory/graph?asset={quote_parameter(assets()[0].id)}",
    "asset": f"/inventory/asset?id={quote_parameter(assets()[0].id)}",
    "asset-hostile": f"/inventory/asset?id={quote_parameter(assets()[2].id)}",
    "findings": "/findings?state=any",
    "finding": f"/findings/{findings()[0].fingerprint}",
    "scans": "/scans",
    "scan": "/scans/scan-1",
    "drift": "/scans/drift?before=scan-0&after=scan-1",
    "views": "/views",
    "events": "/events",
    "event": "/events/node-1:boot:3",
    "incidents": "/incidents",
    "incident": "/incidents/inc-1",
}
EMPTY = {
    "overview": "/",
    "inventory": "/inventory",
    "graph": "/inventory/graph",
    "findings": "/findings",
    "scans": "/scans",
    "views": "/views",
    "events": "/events",
    "incidents": "/incidents",
}
