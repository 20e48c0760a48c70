"""Templates and what they look like."""

from pydantic import BaseModel, ConfigDict

from omnify_email.catalogue import LOCALES, Category, Locale, Template
from omnify_email.schemas.types import Values


class FieldOut(BaseModel):
    """A value that a template shows."""

    name: str
    required: bool
    max_length: int


class TemplateOut(BaseModel):
    """A template. Those without `fields` follow events and can't be asked for."""

    name: str
    version: int
    category: Category
    locales: list[Locale]
    fields: list[FieldOut]

    @classmethod
    def of(cls, template: Template) -> "TemplateOut":
        """From the catalogue."""
        fields = [
            FieldOut(name=name, required=field.required, max_length=field.longest)
            for name, field in template.fields.items()
        ]
        return cls(
            name=template.name,
            version=template.version,
            category=template.category,
            locales=list(template.subjects) or list(LOCALES),
            fields=fields,
        )


class TemplatesOut(BaseModel):
    """All templates."""

    templates: list[TemplateOut]


class PreviewIn(BaseModel):
    """Values to show; samples stand for the others. `locale` goes before `Accept-Language`."""

    model_config = ConfigDict(extra="forbid")

    values: Values = {}
    locale: Locale | None = None


class PreviewOut(BaseModel):
    """A mail as it would look."""

    subject: str
    text: str
    html: str
