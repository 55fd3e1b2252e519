"""Measures the running store and reports ratios against bare references."""
