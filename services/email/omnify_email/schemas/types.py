"""Kinds of text that callers send."""

from typing import Annotated

from pydantic import Field, StringConstraints

from omnify_email.addresses import LONGEST, PATTERN

Address = Annotated[str, StringConstraints(pattern=PATTERN, max_length=LONGEST)]
# A display name: one line, no angle brackets or quotes, so that it is nothing but a name in a header.
Name = Annotated[str, StringConstraints(pattern=r'^[^\x00-\x1f\x7f-\x9f\u2028\u2029<>"@\\]{1,64}$')]
Values = Annotated[
    dict[Annotated[str, StringConstraints(max_length=40)], Annotated[str, StringConstraints(max_length=20_000)]],
    Field(max_length=20),
]
DOMAIN = r"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$"
Domain = Annotated[str, StringConstraints(pattern=DOMAIN, max_length=253)]
