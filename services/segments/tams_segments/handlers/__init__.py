"""What the service answers: parse, call one use case, render. Only these modules know HTTP."""
