"""One module per noun of the protocol; a handler parses, calls the engine once and renders."""
