"""Forms that apps and browsers send (`application/x-www-form-urlencoded`), and who a client says it is."""

from base64 import b64decode
from binascii import Error as Base64Error
from urllib.parse import parse_qsl, unquote_plus

from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError, InvalidScopeError
from fastapi import Request

Form = dict[str, str]
LONGEST = 16 * 1024  # bytes
MOST = 40  # fields


def fields(text: str) -> Form:
    """The fields of a form or query; none may come twice (RFC 6749 §3.1). Raises InvalidRequestError."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=MOST, errors="strict")
    except ValueError:
        raise InvalidRequestError("the form is malformed") from None
    made = dict(pairs)
    if len(made) != len(pairs):
        raise InvalidRequestError("a parameter came twice")
    return {name: value for name, value in made.items() if value}


async def form_of(request: Request) -> Form:
    """The form of a request. Raises InvalidRequestError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if kind != "application/x-www-form-urlencoded" or len(body) > LONGEST:
        raise InvalidRequestError("send a short form: application/x-www-form-urlencoded")
    return fields(body.decode("utf-8", "surrogateescape") if body.isascii() else "%")


def credentials(request: Request, form: Form) -> tuple[str | None, str | None]:
    """The client's id and secret, of HTTP Basic or of the form but not both. Raises InvalidClientError."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        return form.get("client_id"), form.get("client_secret")
    if scheme.lower() != "basic" or "client_secret" in form:
        raise InvalidClientError(status_code=401, description="authenticate in one way: HTTP Basic, or the form")
    try:
        client_id, colon, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (Base64Error, UnicodeDecodeError):
        raise InvalidClientError(status_code=401, description="the Basic credentials are malformed") from None
    if not colon or form.get("client_id", client_id) != unquote_plus(client_id):
        raise InvalidClientError(status_code=401, description="the client gave two ids")
    return unquote_plus(client_id), unquote_plus(secret)


def within(scope: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes asked for, each once. Raises InvalidScopeError for one that is not allowed."""
    asked = tuple(dict.fromkeys(scope.split()))
    if not asked or not set(asked) <= set(allowed):
        raise InvalidScopeError("the scope names what the client may not have")
    return asked
