"""The functions there are: which service each is of, and what of it can be reached.

A function is a door or a consumer: a door takes the listed operations and no other, a consumer the events that its
service subscribes to.
"""

import os
from dataclasses import dataclass

ENDPOINTS = ("DAPR_HTTP_ENDPOINT", "DAPR_GRPC_ENDPOINT")


class Unconfigured(RuntimeError):
    """A function's environment lacks what it cannot do without."""


@dataclass(frozen=True, slots=True)
class Function:
    """`service` is the app-id under which it reaches Dapr; `operations` are `METHOD /path/{parameter}`.

    `finish`: seconds that a call waits for the jobs it began, below the time that the cloud gives it.
    """

    name: str
    service: str
    operations: tuple[str, ...] = ()
    consumes: bool = False
    finish: float = 10.0


SIGNUP = Function("signup", "auth", operations=("POST /api/auth/register",))
MAIL = Function("mail", "email", consumes=True)
FILES = Function("files", "files", consumes=True, finish=240.0)
WEBHOOKS = Function(
    "webhooks",
    "webhooks",
    operations=("POST /api/webhooks/in/{provider}/{connection}", "GET /api/webhooks/in/{provider}/{connection}"),
)
FUNCTIONS = {function.name: function for function in (SIGNUP, MAIL, FILES, WEBHOOKS)}


def find(name: str) -> Function:
    """A function by its name, before anything of its service is loaded.

    Raises Unconfigured when the environment does not say where Dapr is: beside a function there is no sidecar.
    """
    if missing := [variable for variable in ENDPOINTS if not os.environ.get(variable, "").strip()]:
        raise Unconfigured(f"set {' and '.join(missing)}: a function reaches its sidecar over the network")
    return FUNCTIONS[name]
