"""The OpenAPI document of the page's addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from lookalike.faces.page.served import MOST

NUMBER, TEXT, FLAG = {"type": "number"}, {"type": "string"}, {"type": "boolean"}
ERROR = {"type": "object", "required": ["error"], "properties": {"error": TEXT}}


def document(models: Sequence[str]) -> Mapping[str, Any]:
    """Return the document for models of these names."""
    model = {"name": "model", "in": "query", "schema": {"type": "string", "enum": list(models)}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "lookalike", "version": version("lookalike")},
        "paths": {
            "/": {"get": _said("The page", "text/html", TEXT)},
            "/page.css": {"get": _said("The page's style", "text/css", TEXT)},
            "/page.js": {"get": _said("The page's script", "text/javascript", TEXT)},
            "/models": {"get": _said("What each model is", "application/json", {"type": "array", "items": MODEL})},
            "/score": {"post": _score(model)},
            "/generate": {"post": _generate(models)},
            "/report": {"get": _said("A run's report", "text/html", TEXT, 404, 422) | {"parameters": [model]}},
            "/health": {"get": _said("That the page lives", "application/json", {"type": "object"})},
            "/metrics": {"get": _said("Counts, for Prometheus", "text/plain", TEXT)},
            "/openapi.json": {"get": _said("This document", "application/json", {"type": "object"})},
        },
    }


def _score(model: Mapping[str, Any]) -> Mapping[str, Any]:
    pictures = {"name": "pictures", "in": "query", "schema": {"type": "string", "enum": ["true", "false"]}}
    file = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    said = _said("The verdict of one image", "application/json", VERDICT, 404, 408, 413, 422, 429)
    return said | {"parameters": [model, pictures], "requestBody": {"required": True, "content": file}}


def _generate(models: Sequence[str]) -> Mapping[str, Any]:
    asked = {
        "type": "object",
        "required": ["class"],
        "properties": {
            "model": {"type": "string", "enum": list(models)},
            "class": TEXT,
            "seed": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
            "n": {"type": "integer", "minimum": 1, "maximum": MOST},
            "to": TEXT,
            "form": {"type": "string", "enum": ["json", "zip"]},
        },
    }
    made = {"type": "object", "required": ["images"], "properties": {"images": {"type": "array", "items": TEXT}}}
    said = _said("Images of a class", "application/json", made, 404, 408, 413, 422)
    said["responses"]["200"]["content"]["application/zip"] = {"schema": {"type": "string", "format": "binary"}}
    return said | {"requestBody": {"required": True, "content": {"application/json": {"schema": asked}}}}


def _said(summary: str, kind: str, schema: Mapping[str, Any], *errors: int) -> dict[str, Any]:
    """Return an operation with its answer, and the statuses of its refusals."""
    refused = {
        str(code): {"description": "Refused", "content": {"application/json": {"schema": ERROR}}} for code in errors
    }
    good = {"200": {"description": summary, "content": {kind: {"schema": schema}}}}
    return {"summary": summary, "responses": good | refused}


MODEL = {
    "type": "object",
    "properties": {
        "name": TEXT,
        "method": TEXT,
        "known": {"type": "array", "items": TEXT},
        "judges": FLAG,
        "makes": {"type": "array", "items": TEXT},
        "false_alarms": {"type": ["number", "null"]},
        "least": {"type": ["number", "null"]},
        "size": {"type": "array", "items": {"type": "integer"}},
    },
}
VERDICT = {
    "type": "object",
    "required": ["score", "p_value", "flagged", "predicted", "closest", "words"],
    "properties": {
        "score": NUMBER,
        "p_value": NUMBER,
        "flagged": FLAG,
        "predicted": TEXT,
        "closest": TEXT,
        "confidence": {"type": ["number", "null"]},
        "words": TEXT,
        "pictures": {"type": "object", "additionalProperties": TEXT},
    },
}
