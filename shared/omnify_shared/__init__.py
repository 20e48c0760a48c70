"""What every Omnify service stands on; services import from its modules, never around them."""

import os

# gRPC's own fork handlers run Python in a child that uvloop forked: one of twenty dies of them (SIGSEGV) before it is
# the program that was wanted. Nothing here goes on in a child, so none are needed. Read when grpc is imported.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
