"""What travels: decoding of request bodies and encoding of replies, without the engine and without HTTP."""
