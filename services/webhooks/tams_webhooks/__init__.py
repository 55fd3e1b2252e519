"""The webhooks service: webhook delivery and the live event stream."""
