"""The API against its own document: schemathesis sends what it allows, and what it does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from server_samples import fill
from server_world import World, make_world

from keepwall.foundation.store.store import Store
from keepwall.server.api.openapi import document
from keepwall.server.api.paging import PREFIX
from keepwall.server.api.routes import OPERATIONS

pytestmark = pytest.mark.real  # the client of schemathesis opens socket pairs for its event loop

SCHEMA = schemathesis.openapi.from_dict(document(OPERATIONS, PREFIX))
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    with Store.open(f"sqlite:///{folder / 'keepwall.db'}") as store:
        fill(store)
        yield make_world(store)


@SCHEMA.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_operation_answers_as_documented(case: schemathesis.Case, served: World) -> None:
    response = case.call(
        base_url="http://127.0.0.1:8740",
        app=served.app,
        headers={"Authorization": f"Bearer {served.token}"},
    )
    assert response.status_code not in (401, 421), "the question itself was not asked"
    case.validate_response(response, checks=list(CHECKS))
