"""Small programs that `make` runs on the repository."""
