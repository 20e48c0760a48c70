"""Registers the fixtures that every test folder may use."""

pytest_plugins = ["omnify_shared.testing.plugin", "omnify_shared.testing.guarantees"]
