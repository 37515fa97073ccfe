"""Why a request was not carried out, as the northbound interface answers it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus


class Refused(Exception):
    """A request that was not carried out: the HTTP status, a code, a sentence, and every wrong field."""

    def __init__(self, status: HTTPStatus, code: str, message: str, fields: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = dict(fields or {})

    def as_dict(self) -> dict[str, object]:
        """The body of the answer."""
        return {"error": {"code": self.code, "message": self.message, "fields": self.fields}}


def invalid(fields: Mapping[str, str]) -> Refused:
    """400: the fields that are wrong and what is the matter with each."""
    listed = "; ".join(f"{name}: {what}" for name, what in fields.items())
    return Refused(HTTPStatus.BAD_REQUEST, "invalid", f"the request is not valid: {listed}", fields)


def not_found(what: str) -> Refused:
    """404: ``what`` does not exist."""
    return Refused(HTTPStatus.NOT_FOUND, "not-found", f"there is no {what}")


def conflict(message: str) -> Refused:
    """409: the request does not fit what is in force."""
    return Refused(HTTPStatus.CONFLICT, "conflict", message)


def not_connected(dpid: str) -> Refused:
    """503: the switch is not connected now."""
    return Refused(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "switch-not-connected",
        f"switch {dpid} is not connected to the controller",
    )


def no_answer(dpid: str, waited_s: float) -> Refused:
    """504: the switch is connected but did not answer in time."""
    return Refused(
        HTTPStatus.GATEWAY_TIMEOUT, "switch-timeout", f"switch {dpid} did not answer within {waited_s:g} s"
    )


def switch_error(dpid: str, detail: str) -> Refused:
    """502: the switch answered with an OpenFlow error."""
    return Refused(HTTPStatus.BAD_GATEWAY, "switch-error", f"switch {dpid} refused: {detail}")
