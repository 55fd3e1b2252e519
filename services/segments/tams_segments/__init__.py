"""The segments service: flow segments, media objects and storage."""
