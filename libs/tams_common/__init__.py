"""What every service shares: the model, the ports and the kits, small on purpose (docs/architecture.md)."""
