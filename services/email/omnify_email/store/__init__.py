"""What the service stores, by kind."""

from datetime import date, timedelta

from omnify_email.records import MessageRequest, OrganizationSettings, Root, SenderDomain, Standing
from omnify_email.store.mails import RETENTION, MailStore
from omnify_shared.documents import Documents
from omnify_shared.events.outbox import Outbox
from omnify_shared.indexes import Index
from omnify_shared.state import StateStore

__all__ = ["MailStore", "Store", "scope_of"]


class Store:
    """The documents and lists. Keys begin with the organisation, but those of mails and requests, found by their id."""

    def __init__(self, state: StateStore, outbox: Outbox) -> None:
        self.root = Documents(state, "root", Root)
        self.mails = MailStore(state, outbox)
        self.requests = Documents(state, "request", MessageRequest, ttl=RETENTION)
        self.request_list = Index(state, "requests", page_size=50, ttl=RETENTION + timedelta(days=1))
        self.standings = Documents(state, "standing", Standing)
        self.standing_list = Index(state, "standings")
        self.choices_of = Index(state, "user-choices")
        self.settings = Documents(state, "settings", OrganizationSettings)
        self.domains = Documents(state, "domain", SenderDomain)
        self.domain_list = Index(state, "domains")


def scope_of(organization_id: str, day: date) -> str:
    """The list that holds an organisation's requests of a day."""
    return f"{organization_id}.{day:%Y%m%d}"
