# SPDX-License-Identifier: MIT
# schema.py NAME: whether standard input is a document of docs/schema/NAME.json. The schemas are open,
# as later versions may add members; here every member must be one that they know.
import json
import pathlib
import sys

import jsonschema


def closed(schema):
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    shut = {key: closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict):
        shut.setdefault("additionalProperties", False)
    return shut


tree = pathlib.Path(__file__).resolve().parents[2]
schema = json.loads((tree / "docs" / "schema" / f"{sys.argv[1]}.json").read_text(encoding="utf-8"))
jsonschema.Draft202012Validator.check_schema(schema)
errors = list(jsonschema.Draft202012Validator(closed(schema)).iter_errors(json.load(sys.stdin)))
for error in errors:
    print("/".join(map(str, error.absolute_path)), error.message[:200])
sys.exit(1 if errors else 0)
