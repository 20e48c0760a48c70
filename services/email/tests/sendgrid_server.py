"""A strict stand-in for SendGrid's v3 API: `python sendgrid_server.py <port> <file> <key> <url> <token>`.

It takes nothing but a well-formed POST /v3/mail/send. The recipient's local part says what happens: `busy…` gets 429
on its first try, `down…` 503 on every one, `bad…` 400. Requests that it took are lines of JSON in the file. It
tells the email service at `url` of each, signed, until that answers with 200; of a mail to `mute…` it never does.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2 as httpx
import jsonschema

from support.sendgrid import PATH, batch, event

PORT, FILE = int(sys.argv[1]), Path(sys.argv[2])
KEY, URL, TOKEN = sys.argv[3:]
PERSON = {
    "type": "object",
    "properties": {"email": {"type": "string", "pattern": "^[^@ ]+@[^@ ]+$"}, "name": {"type": "string"}},
    "required": ["email"],
    "additionalProperties": False,
}
# The part of the v3 schema that a transactional mail may use.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["personalizations", "from", "subject", "content", "tracking_settings"],
    "properties": {
        "personalizations": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1000,
            "items": {
                "type": "object",
                "properties": {"to": {"type": "array", "items": PERSON, "minItems": 1, "maxItems": 1}},
                "required": ["to"],
                "additionalProperties": False,
            },
        },
        "from": PERSON,
        "subject": {"type": "string", "minLength": 1, "pattern": "^[^\r\n]*$"},
        "content": {
            "type": "array",
            "prefixItems": [{"properties": {"type": {"const": kind}}} for kind in ("text/plain", "text/html")],
            "minItems": 2,
            "maxItems": 2,
            "items": {
                "type": "object",
                "properties": {"type": {"type": "string"}, "value": {"type": "string", "minLength": 1}},
                "required": ["type", "value"],
            },
        },
        "headers": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "propertyNames": {"not": {"enum": ["To", "From", "Subject", "Reply-To", "CC", "BCC", "Content-Type"]}},
        },
        "custom_args": {
            "type": "object",
            "properties": {"omnify_mail": {"type": "string", "minLength": 1}},
            "required": ["omnify_mail"],
            "additionalProperties": False,
        },
        "tracking_settings": {
            "type": "object",
            "properties": {
                "click_tracking": {"properties": {"enable": {"const": False}, "enable_text": {"const": False}}},
                "open_tracking": {"properties": {"enable": {"const": False}}},
            },
            "required": ["click_tracking", "open_tracking"],
        },
    },
}


class SendGrid(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    busy: set[str] = set()  # noqa: RUF012 - one server, one set

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        status, error = self._judge(body)
        if status == 202:
            with FILE.open("a") as taken:
                taken.write(body.decode().replace("\n", "") + "\n")
            threading.Thread(target=tell, args=(json.loads(body),), daemon=True).start()
        answer = b"" if status == 202 else json.dumps({"errors": [{"message": error}]}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _judge(self, body: bytes) -> tuple[int, str]:
        if self.path != "/v3/mail/send":
            return 404, "not found"
        if self.headers.get_all("authorization") != [f"Bearer {KEY}"]:
            return 401, "authorization required"
        if self.headers.get_content_type() != "application/json":
            return 415, "JSON only"
        try:
            document = json.loads(body)
            jsonschema.validate(document, SCHEMA)
        except (ValueError, jsonschema.ValidationError) as error:
            return 400, str(error)
        recipient = document["personalizations"][0]["to"][0]["email"]
        if recipient.startswith("bad"):
            return 400, "the address is not acceptable"
        if recipient.startswith("busy") and recipient not in self.busy:
            self.busy.add(recipient)
            return 429, "slow down"
        if recipient.startswith("down"):
            return 503, "out of order"
        return 202, ""

    def log_message(self, *_: object) -> None:
        pass


def tell(mail: dict[str, Any]) -> None:
    recipient, reference = mail["personalizations"][0]["to"][0]["email"], mail["custom_args"]["omnify_mail"]
    while not recipient.startswith("mute"):
        body, headers = batch(*(event(reference, what, recipient) for what in ("processed", "delivered")))
        try:
            headers["dapr-api-token"] = TOKEN
            if httpx.post(URL + PATH, content=body, headers=headers, timeout=10).is_success:
                return
        except httpx.HTTPError:
            pass  # away: told again, as SendGrid does for a day
        time.sleep(0.2)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", PORT), SendGrid).serve_forever()
