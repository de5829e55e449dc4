# SPDX-License-Identifier: MIT
# validate.py DIR: whether standard input is a document of CycloneDX 1.5, by the schemas in DIR.
import json
import sys

import jsonschema


def additional_items(validator, allowed, instance, schema):
    """As the library's own, which in 4.10 sorts what is too much to say so: objects have no order."""
    items = schema.get("items")
    if not isinstance(instance, list) or not isinstance(items, list):
        return
    if allowed is False and len(instance) > len(items):
        yield jsonschema.ValidationError("additional items are not allowed")
    elif isinstance(allowed, dict):
        for index, item in enumerate(instance[len(items):], len(items)):
            yield from validator.descend(item, allowed, path=index)


schemas = {}
for name in ("bom-1.5", "spdx", "jsf-0.82"):
    with open(f"{sys.argv[1]}/{name}.schema.json", encoding="utf-8") as file:
        schema = json.load(file)
        schemas[schema["$id"]] = schema

root = schemas["http://cyclonedx.org/schema/bom-1.5.schema.json"]
jsonschema.Draft7Validator.check_schema(root)
validator = jsonschema.validators.extend(jsonschema.Draft7Validator, {"additionalItems": additional_items})(
    root,
    resolver=jsonschema.RefResolver.from_schema(root, store=schemas),
    format_checker=jsonschema.FormatChecker(),
)
errors = list(validator.iter_errors(json.load(sys.stdin)))
for error in errors:
    print("/".join(map(str, error.absolute_path)), error.message[:200])
sys.exit(1 if errors else 0)
