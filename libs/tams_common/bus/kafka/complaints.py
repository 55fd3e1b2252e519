"""What aiokafka has to say, in our log: once a minute the same, however often an outage makes it say so."""

import logging
import time
from typing import Final

import structlog

_log = structlog.get_logger(__name__)
_AGAIN: Final = 60.0


class Complaints(logging.Handler):
    """Passes on warnings and errors of aiokafka's loggers; of those with one wording one a minute."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: dict[object, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Logs `record`, or drops it."""
        now = time.monotonic()
        if now - self._said.get(record.msg, -_AGAIN) < _AGAIN:
            return
        self._said[record.msg] = now
        _log.warning("Kafka client", said=record.getMessage(), exc_info=record.exc_info)


def gather() -> None:
    """Takes over aiokafka's logging in this process, once."""
    logger = logging.getLogger("aiokafka")
    if not any(isinstance(handler, Complaints) for handler in logger.handlers):
        logger.addHandler(Complaints())
        logger.propagate = False
