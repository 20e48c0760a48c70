"""How an order file is to be read."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, field_validator, model_validator

from omnify_analytics.currencies import MINOR_UNITS
from omnify_analytics.orders.dates import InvalidDateFormat, date_pattern


def _column(value: Any) -> Any:
    index = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1000
    if index or (isinstance(value, str) and 0 < len(value) <= 200):
        return value
    raise ValueError("must be a header's name or a zero-based index")


ColumnRef = Annotated[int | str, BeforeValidator(_column)]


_EXAMPLE: Final[dict[str, Any]] = {
    "delimiter": ";",
    "has_header": True,
    "date_format": "%d.%m.%Y",
    "currency": "EUR",
    "columns": {"customer_id": "customer", "ordered_at": "day", "amount": "paid"},
}


class Columns(BaseModel):
    """Where each value stands: a header's name or a zero-based index."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    customer_id: ColumnRef
    ordered_at: ColumnRef
    amount: ColumnRef
    order_id: ColumnRef | None = None
    quantity: ColumnRef | None = None

    def mapped(self) -> dict[str, int | str]:
        """The columns in use, by their name here."""
        return {name: ref for name, ref in self.model_dump().items() if ref is not None}


class ImportOptions(BaseModel):
    """The `options` part of an upload.

    `whitespace` separates by runs of blanks and tabs, leading ones ignored. `date_format` takes strptime directives or
    letters (YYYYMMDD). `currency` is an ISO 4217 code.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [_EXAMPLE]})

    delimiter: Literal[",", ";", "\t", "whitespace"] = ","
    has_header: StrictBool = True
    date_format: Annotated[str, Field(min_length=2, max_length=60)] = "%Y-%m-%d"
    currency: str
    columns: Columns

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, value: str) -> str:
        if value not in MINOR_UNITS:
            raise ValueError("is not an ISO 4217 code of a currency in circulation, for example USD")
        return value

    @field_validator("date_format")
    @classmethod
    def _readable_format(cls, value: str) -> str:
        try:
            date_pattern(value)
        except InvalidDateFormat as error:
            raise ValueError(str(error)) from error
        return value

    @model_validator(mode="after")
    def _names_need_a_header(self) -> Self:
        named = [name for name, ref in self.columns.mapped().items() if isinstance(ref, str)]
        if named and not self.has_header:
            raise ValueError(f"columns.{named[0]} is a name, but has_header is false: give zero-based indexes")
        return self
