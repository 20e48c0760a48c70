"""The allow lists of the locked-down profile and the table of permissions, made from what the services declare.

python -m omnify_local.access            writes deploy/secure/<app-id>.yaml and docs/permissions.md
python -m omnify_local.access --check    fails with a diff when they are stale
"""
