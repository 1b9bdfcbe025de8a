"""nbgrader logs why something failed and raises something general: this keeps what it logged."""

from __future__ import annotations

import logging


class ErrorLog(logging.Handler):
    """A logger for nbgrader whose error messages stay in `messages`."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []
        self.logger = logging.Logger("nbgrader")
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
