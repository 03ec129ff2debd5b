"""openapi.json: what it refers to, and whether its own examples fit its schemas."""

import json
import pathlib

from openapi_schema_validator import OAS31Validator, oas31_format_checker

ROOT = pathlib.Path(__file__).parents[2]
DOCUMENT = json.loads((ROOT / "nginx/html/openapi.json").read_text())


def resolved(node):
    """What a reference stands for."""
    while "$ref" in node:
        target = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def check(schema, value, what):
    validator = OAS31Validator(schema | {"components": DOCUMENT["components"]}, format_checker=oas31_format_checker)
    faults = [fault.message[:300] for fault in validator.iter_errors(value)]
    assert not faults, (what, faults)


def responses():
    """Every response with what it belongs to: (path, operation, status, response)."""
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                yield path, operation, int(status), resolved(response)
    yield "any", {}, 405, DOCUMENT["components"]["responses"]["MethodNotAllowed"]


def check_values():
    """Every example of a parameter, a header, a request body or a response fits its schema."""
    count = 0
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            for parameter in map(resolved, operation.get("parameters", [])):
                # In the schema rather than beside it, where Swagger UI would send them unasked.
                for example in parameter["schema"].get("examples", []):
                    check(parameter["schema"], example, (path, parameter["name"]))
                    count += 1
            for media in operation.get("requestBody", {}).get("content", {}).values():
                for key, example in media["examples"].items():
                    if "wrong" not in key:
                        check(media["schema"], example["value"], (path, key))
                        count += 1
    for path, _, status, response in responses():
        for name, header in response.get("headers", {}).items():
            header = resolved(header)
            check(header["schema"], header["example"], (path, status, name))
        for media in response.get("content", {}).values():
            for key, example in media.get("examples", {}).items():
                check(media["schema"], example["value"], (path, status, key))
                count += 1
    return count
