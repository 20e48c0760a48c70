"""Accounts, organisations, sign-in, tokens and sessions."""
