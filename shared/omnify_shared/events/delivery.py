"""What the sidecar delivers: the bytes on the topic as they are, wrapped once by the sidecar.

With Dapr's usual subscription the sidecar reads each event before we do. What is no JSON object then never reaches the
app, not even as a dead letter, as the dead-letter topic is read the same way; and a number for a `traceid` ends daprd
1.18.2 itself, again and again. As raw payload it reads nothing, and every judgement is the app's.
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

RAW: Mapping[str, str] = {"rawPayload": "true"}


def event_in(body: bytes) -> Any:
    """The JSON value that lies on the topic; its text where it is no JSON."""
    wrapping = _value(body)
    if not isinstance(wrapping, dict) or not isinstance(wrapping.get("data_base64"), str):
        return wrapping
    try:
        return _value(b64decode(wrapping["data_base64"]))
    except binascii.Error:
        return wrapping


def _value(content: bytes) -> Any:
    try:
        return from_json(content)
    except ValueError:
        return content.decode(errors="replace")
