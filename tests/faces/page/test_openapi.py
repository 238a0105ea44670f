"""The page keeps the promises of its OpenAPI document, whatever is sent: schemathesis makes the requests."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from page_served import serving
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from lookalike.faces.page.openapi import document

PROMISED = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OPERATIONS = [(path, method) for path, methods in document(["three"])["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def schema(served):
    """What schemathesis makes of the document of a page that is served."""
    with serving(served) as host:
        yield schemathesis.openapi.from_url(f"http://{host}/openapi.json")


def ask(operation, mode):
    """The statuses of the answers to thirty requests, each checked against the document."""
    statuses: set[int] = set()

    @settings(max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=HealthCheck)
    @given(case=operation.as_strategy(generation_mode=mode))
    def asked(case):
        statuses.add(case.call_and_validate(checks=PROMISED).status_code)

    asked()
    return statuses


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_answer_is_one_that_the_document_names(schema, path, method):
    """Requests as the document allows them get a status, a type and a form that it has, and no error is ours."""
    statuses = ask(schema[path][method.upper()], GenerationMode.POSITIVE)
    assert statuses and (method == "post" or statuses == {200})


@pytest.mark.parametrize("path", ["/score", "/generate"])
def test_wrong_requests_are_refused_as_the_document_says(schema, path):
    """Requests that the document forbids get only answers that it names, and refusals are among them.

    A parameter that nobody knows is passed over, so an image beside one is judged.
    """
    assert 422 in ask(schema[path]["POST"], GenerationMode.NEGATIVE)


def test_a_promise_that_is_not_kept_is_found(schema):
    """Where the document promises less than the page answers, the check says so."""
    poorer = dict(schema.raw_schema)
    poorer["paths"] = {"/health": {"get": {"responses": {"404": {"description": "None"}}}}}
    other = schemathesis.openapi.from_dict(poorer)
    other.config.update(base_url=schema.get_base_url())
    with pytest.raises(FailureGroup):
        ask(other["/health"]["GET"], GenerationMode.POSITIVE)
