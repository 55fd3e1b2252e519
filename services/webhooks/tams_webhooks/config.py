"""Configuration of webhooks."""

from typing import Final

import msgspec

_LONGEST_SILENCE: Final = 30


class WebhooksConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Keys `TAMS_WEBHOOKS_…`.

    encryption_keys, encryption_keys_file: Fernet keys (32 bytes in URL-safe base64) with commas between them, or a file
        with them, under which api key values are kept: the first one encrypts, all decrypt. `tams dev` makes one;
        elsewhere it is needed.
    signing_keys, signing_keys_file: Ed25519 seeds as Standard Webhooks writes them (`whsk_` and base64) with commas
        between them, or a file with them; each signs every delivery, and their public halves stand in
        `/.well-known/webhook-keys.json`.
    allow: networks (CIDR) and host names that webhooks may reach although they are not public, with commas between.
    timeout: seconds for one attempt: looking up the host, connecting, sending, and the answer's headers.
    delays: seconds before each further attempt of an event, with commas between them; each is drawn 20 % around that.
        After the last one the event has failed.
    error_after: hours of attempts without a success after which a webhook gets status `error`.
    lane_batch: events that are read at once for one webhook.
    lane_concurrency: requests to one webhook at once, at most.
    lease: seconds for which a replica that fell silent keeps its webhooks from the others.
    sweep: seconds between looks at which webhooks there are and which replicas serve them.
    log_hours: hours for which events are kept for late receivers, replays and `/events`.
    attempt_hours: hours for which attempts are kept.
    heartbeat: seconds between comments on an idle `/events` stream, at most 30: everything between here and the client
        takes a connection for dead that is silent for long.
    followers: clients that may follow `/events` at once, at each replica; each reads every event.
    """

    encryption_keys: str = ""
    encryption_keys_file: str = ""
    signing_keys: str = ""
    signing_keys_file: str = ""
    allow: str = ""
    timeout: float = 15.0
    delays: str = "5,300,1800,7200,18000,36000,50400,72000,86400"
    error_after: int = 120
    lane_batch: int = 200
    lane_concurrency: int = 16
    lease: float = 10.0
    sweep: float = 1.0
    log_hours: int = 168
    attempt_hours: int = 168
    heartbeat: float = 15.0
    followers: int = 500

    def __post_init__(self) -> None:
        for name in ("timeout", "lease", "sweep", "heartbeat"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0 seconds")
        if self.heartbeat > _LONGEST_SILENCE:
            raise ValueError(f"heartbeat must be {_LONGEST_SILENCE} seconds or less")
        for name in ("error_after", "lane_batch", "lane_concurrency", "log_hours", "attempt_hours", "followers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more")
