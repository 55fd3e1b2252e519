"""The handlers of webhooks: parse, call one use case, render."""
