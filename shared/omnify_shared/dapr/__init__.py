"""The adapter to the Dapr sidecar: its client, state, secrets, invocation and their errors."""
