"""The published contracts: made from the services' code into `docs/contracts/`, checked for drift and for breaks.

python -m omnify_local.contracts             writes them
python -m omnify_local.contracts --check     fails with a diff when they are stale, or when a change breaks somebody
python -m omnify_local.contracts --release   takes what is published now as what is promised from now on
"""
