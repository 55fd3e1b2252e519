"""A local server to which VAST DataBase's own Python SDK connects: a store for development and tests, not for production."""
