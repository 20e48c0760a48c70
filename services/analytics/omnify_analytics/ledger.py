"""What an organisation's ledger may become."""

from datetime import datetime

from omnify_analytics.errors import CurrencyDiffers, OrganizationGone
from omnify_analytics.records import Committed, Import, Ledger


def check_open(ledger: Ledger) -> None:
    """Raises OrganizationGone when the organisation was deleted."""
    if ledger.closed:
        raise OrganizationGone("the organisation was deleted")


def check_currency(ledger: Ledger, file: str, currency: str) -> None:
    """Raises CurrencyDiffers when the orders of other files are in another currency."""
    if ledger.currency not in (None, currency) and any(known.file != file for known in ledger.imports):
        raise CurrencyDiffers(
            f"this organisation's orders are in {ledger.currency}; orders in {currency} can't be added to them",
            currency=ledger.currency,
        )


def with_import(ledger: Ledger, done: Import, now: datetime) -> Ledger:
    """The ledger with an import counted, once and in place of any other import of the same bytes.

    Raises CurrencyDiffers, OrganizationGone.
    """
    check_open(ledger)
    if any(known.import_id == done.import_id for known in ledger.imports):
        return ledger
    check_currency(ledger, done.file, done.options.currency)
    others = [known for known in ledger.imports if known.file != done.file]
    committed = Committed(import_id=done.import_id, file=done.file)
    return Ledger(currency=done.options.currency, as_of=now, imports=[*others, committed])
