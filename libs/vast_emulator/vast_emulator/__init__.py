"""A local server to which VAST DataBase's own Python SDK connects, for development and tests, not for production."""
