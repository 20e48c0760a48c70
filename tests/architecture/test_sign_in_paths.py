"""Auth's README lists every way to an access token with its strength; the OpenAPI document says which there are."""

import json
import re
from typing import Any

from omnify_local import paths

ROW = re.compile(r"^\| `POST (/\S+)` \| (?:password|passkey|refresh token|access token|client secret)", re.MULTILINE)


def _has_token(document: dict[str, Any], operation: dict[str, Any]) -> bool:
    """Whether a success of the operation carries an access token."""
    for status, answer in operation["responses"].items():
        for media in answer.get("content", {}).values() if status.startswith("2") else ():
            name = media.get("schema", {}).get("$ref", "").rpartition("/")[2]
            if "access_token" in document["components"]["schemas"].get(name, {}).get("properties", {}):
                return True
    return False


def test_the_readme_lists_every_way_to_a_token() -> None:
    document = json.loads((paths.repository() / "docs" / "contracts" / "openapi" / "auth.json").read_text())
    found = {
        path
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if isinstance(operation, dict) and "responses" in operation and _has_token(document, operation)
    }
    readme = (paths.repository() / "services" / "auth" / "README.md").read_text()
    listed = readme.partition("## Ways to a token")[2].partition("\n## ")[0]
    assert len(found) >= 7
    assert found == set(ROW.findall(listed))
