"""One JSON object per line on standard error: ids, never content.

    from services.runtime.logs import log
    log.info("letter_registered", letter=name)

Within a call `request_id` and `rpc` are added by themselves.
"""

import logging
import sys
import traceback
from contextvars import ContextVar
from typing import Any, cast

import structlog

from services.runtime.config import ProcessConfig

log = cast(structlog.stdlib.BoundLogger, structlog.get_logger())
"""The one logger; it does nothing until it is used and takes its form from `configure`."""

REQUEST_ID = "x-dabir-request-id"
"""Metadata of every call of ours: the id that follows a letter through services, activities and logs."""

_request_id: ContextVar[str] = ContextVar("dabir_request_id", default="")


def request_id() -> str:
    """The id that follows this call through services, activities and logs; "" outside of a call."""
    return _request_id.get()


def begin(request_id: str, **ids: str) -> None:
    """From here on, in this task, log lines carry `request_id` and `ids`, and outgoing calls pass `request_id` on."""
    _request_id.set(request_id)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id, **ids)


def configure(config: ProcessConfig) -> None:
    """Our lines and those of libraries (through `logging`), alike, as JSON on standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _Source(config.source),
    ]
    render: list[structlog.typing.Processor] = [
        _Failure(config.environment),
        # ASCII alone: a stranger's text must not turn a terminal's lines around, or end one.
        structlog.processors.JSONRenderer(ensure_ascii=True),
    ]
    # Straight to the stream: a line per call by way of `logging` would cost twice as much.
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(config.log_level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    drop_own = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[drop_own, *render]))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(config.log_level.upper())


class _Source:
    def __init__(self, source: str) -> None:
        self._source = source

    def __call__(self, _logger: Any, _name: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {"source": self._source, **line}


class _Failure:
    """Turns `exc_info` into type and frames; what the exception says may quote content, so production leaves it out."""

    def __init__(self, environment: str) -> None:
        self._says = environment == "development"

    def __call__(self, _logger: Any, _name: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        given = line.pop("exc_info", None)
        error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
        if isinstance(error, BaseException):
            line["exception"] = type(error).__qualname__
            line["frames"] = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
            if self._says:
                line["exception_says"] = str(error)
        return line
