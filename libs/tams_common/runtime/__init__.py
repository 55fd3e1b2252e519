"""Composition: which adapter serves which URL, and the one runner of all services."""
