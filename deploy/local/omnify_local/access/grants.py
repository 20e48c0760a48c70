"""Who may call which operation of whom: from the callers' declarations, checked against the called services' routes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from omnify_local.contracts.services import Service
from omnify_local.errors import LocalError
from omnify_shared import openapi
from omnify_shared.access import OPERATOR, Access, Call


@dataclass(frozen=True, order=True, slots=True)
class Grant:
    """`caller` may use `methods` of `path` at `callee`, and of all below it when it is a prefix."""

    callee: str
    caller: str
    path: str
    methods: tuple[str, ...]
    prefix: bool = False


def grants_of(services: Iterable[Service]) -> list[Grant]:
    """Every grant, in order. Raises LocalError for a call that nobody serves, or that its service refuses."""
    services = list(services)
    names = {service.name for service in services}
    served = {call: callers for service in services for call, callers in routes_of(service)}
    grants = {grant for service in services for grant in _declared(service, names, served)}
    for call, callers in served.items():
        for caller in callers:
            grant = Grant(call.app_id, caller, call.path, (call.method,))
            if caller == OPERATOR:
                grants.add(grant)
            elif caller in names and grant not in grants:
                raise LocalError(
                    f"{call.app_id} lets {caller} call {call.method} {call.path}, and {caller} declares it not"
                )
    return sorted(grants)


def routes_of(service: Service) -> Iterator[tuple[Call, tuple[str, ...]]]:
    """Each operation of a service, with the callers that it names (none: it does not look)."""
    for route in openapi.api_routes(service.app):
        callers = [call.callers for call in openapi.dependencies(route.dependant) if hasattr(call, "callers")]
        for method in sorted(route.methods or ()):
            yield Call(service.name, method, str(route.path)), tuple(name for group in callers for name in group)
    yield Call(service.name, "GET", "/openapi.json"), ()


def _declared(service: Service, names: set[str], served: dict[Call, tuple[str, ...]]) -> Iterator[Grant]:
    """The grants of one caller; peers that don't exist yet are left out."""
    access: Access = service.app.state.access
    for prefix in access.prefixes:
        if prefix.app_id in names:
            yield Grant(prefix.app_id, service.name, prefix.path, tuple(sorted(prefix.methods)), prefix=True)
    for call in access.calls:
        if call.app_id not in names:
            continue
        callers = served.get(call)
        what = f"{service.name} declares the call {call.method} {call.path} of {call.app_id}"
        if callers is None:
            raise LocalError(f"{what}, which has no such route")
        if callers and service.name not in callers:
            raise LocalError(f"{what}, which lets only {', '.join(callers)} call it")
        yield Grant(call.app_id, service.name, call.path, (call.method,))
