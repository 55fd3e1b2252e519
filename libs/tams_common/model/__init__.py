"""The nouns of the specification as frozen Structs."""
