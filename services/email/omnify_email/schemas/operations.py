"""For operators: the state of a mail, without whom it went to."""

from datetime import datetime

from pydantic import BaseModel

from omnify_email.records import MailRecord


class MailOut(BaseModel):
    """The state of a mail, without whom it went to."""

    event_id: str
    kind: str
    status: str
    attempts: int
    reason: str | None
    created_at: datetime
    updated_at: datetime
    delivery: str | None = None

    @classmethod
    def of(cls, mail: MailRecord) -> "MailOut":
        """From the record."""
        return cls.model_validate(mail, from_attributes=True)
