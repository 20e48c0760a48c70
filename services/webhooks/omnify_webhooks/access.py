"""What the webhooks service uses of the platform."""

from omnify_shared.access import Access

KEY_ENCRYPTION_KEY = "webhooks-key-encryption-key"  # its name, not its value
ACCESS = Access(secrets=(KEY_ENCRYPTION_KEY,))
