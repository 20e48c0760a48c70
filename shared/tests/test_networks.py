"""Where a request came from and who sent it: what is kept of an address, and how an event tells."""

import pytest

from omnify_shared.context import Caller, RequestContext, called_by, entered
from omnify_shared.events import CloudEvent, EventData
from omnify_shared.networks import client_address, network_of


class PetSold(EventData, type="omnify.shop.pet.sold.v1"):
    name: str


@pytest.mark.parametrize(
    ("header", "address", "network"),
    [
        ("203.0.113.77", "203.0.113.77", "203.0.113.0/24"),
        ("203.0.113.77, 10.0.0.1", "203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4 ,10.0.0.1", "2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("unknown", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_of_an_address_its_surroundings_are_kept(header: str | None, address: str | None, network: str | None) -> None:
    assert client_address(header) == address
    assert network_of(address) == network


def test_an_event_tells_who_asked_for_it_and_from_where() -> None:
    with entered(RequestContext("r", "00-" + "a" * 32 + "-" + "b" * 16 + "-01", forwarded_for="203.0.113.77")):
        called_by(Caller("user", "u", ("pwd", "otp")))
        event = CloudEvent[PetSold].of(PetSold(name="Rex"), source="shop", subject="p", sequence=1)
    wire = event.wire()
    assert (wire["authtype"], wire["authid"], wire["authclaims"]) == ("user", "u", '{"amr": ["pwd", "otp"]}')
    assert wire["clientnetwork"] == "203.0.113.0/24"
    assert CloudEvent[PetSold].model_validate(wire) == event


def test_an_event_of_no_request_names_nobody() -> None:
    wire = CloudEvent[PetSold].of(PetSold(name="Rex"), source="shop", subject="p", sequence=1).wire()
    assert not {"authtype", "authid", "authclaims", "clientnetwork"} & wire.keys()
