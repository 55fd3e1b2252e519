"""Requests to receivers: which addresses may be reached, signatures, and sending one delivery."""
