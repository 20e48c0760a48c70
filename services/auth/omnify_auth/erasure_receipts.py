"""The receipts that other services give, one reader each: add a new service here and to `erasures.SERVICES`."""

from omnify_shared.erasure import ErasureReceipt


class AnalyticsErased(ErasureReceipt, type="omnify.analytics.erasure.completed.v1"):
    """Of the analytics service."""


class EmailErased(ErasureReceipt, type="omnify.email.erasure.completed.v1"):
    """Of the email service."""


class FilesErased(ErasureReceipt, type="omnify.files.erasure.completed.v1"):
    """Of the files service."""


class WebhooksErased(ErasureReceipt, type="omnify.webhooks.erasure.completed.v1"):
    """Of the webhooks service."""


RECEIPTS = (AnalyticsErased, EmailErased, FilesErased, WebhooksErased)
