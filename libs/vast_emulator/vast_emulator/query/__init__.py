"""Answering `?data`: columns cut into leaves, predicates over row groups, and the stream of frames."""
