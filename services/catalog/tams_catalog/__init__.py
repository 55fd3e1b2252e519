"""The catalog service: sources, flows, profiles and the service document."""
