"""The api-gateway service: the one public door: authentication, limits and routing."""
