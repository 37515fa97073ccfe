"""The exception tree, which is the table of exit codes.

    TestbedError                      exit 5
    ├── UsageError                    exit 2   wrong arguments or an invalid file
    │   └── InvalidFile               exit 2   with every place that is wrong
    ├── Regression                    exit 1   the balancer got worse, or an assertion failed
    ├── Inconclusive                  exit 3   not enough data, or no baseline
    ├── HostUnfit                     exit 4   the machine lacks what is needed
    │   ├── Busy                      exit 4   another process holds the lock
    │   └── Foreign                   exit 4   something that is not ours stands in the way
    ├── RunFailed                     exit 5   failed at run time; what was begun is undone
    ├── CleanupIncomplete             exit 6   something of ours is left behind
    └── Interrupted                   exit 130 Ctrl-C, or a termination; what was begun is undone

Exit code 0 stands for success.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """One place in a file that is wrong: 1-based line and column, and what is the matter there."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class TestbedError(Exception):
    """Root of all errors that testbedctl raises on purpose.

    ``message`` says what and where, ``hint`` what to do, ``places`` every position in a file.
    """

    __test__ = False  # pytest must not take the name for a test class
    exit_code = 5
    code = "error"

    def __init__(self, message: str, *, hint: str | None = None, places: list[Place] | None = None):
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.places = places or []

    def as_dict(self) -> dict[str, object]:
        """The error document that ``--json`` prints."""
        places = [
            {"file": p.file, "line": p.line, "column": p.column, "message": p.message} for p in self.places
        ]
        return {
            "error": {
                "code": self.code,
                "exit": self.exit_code,
                "message": self.message,
                "places": places,
                "hint": self.hint,
            }
        }


class UsageError(TestbedError):
    """The command line asks for something that does not exist or does not fit together."""

    exit_code = 2
    code = "usage"


class InvalidFile(UsageError):
    """A spec, profile or template is wrong; ``places`` lists every error in it."""

    code = "invalid-file"


class Regression(TestbedError):
    """The measured result is worse than what was asked for."""

    exit_code = 1
    code = "regression"


class Inconclusive(TestbedError):
    """There is not enough data for a statement."""

    exit_code = 3
    code = "inconclusive"


class HostUnfit(TestbedError):
    """The machine lacks a program, a right or a kernel feature."""

    exit_code = 4
    code = "host-unfit"


class Busy(HostUnfit):
    """Another living process holds the lock."""

    code = "busy"


class Foreign(HostUnfit):
    """Something with our name exists that does not carry our mark."""

    code = "foreign"


class RunFailed(TestbedError):
    """Something failed while it ran."""

    code = "run-failed"


class CleanupIncomplete(TestbedError):
    """``down`` found something of ours that it could not remove."""

    exit_code = 6
    code = "cleanup-incomplete"


class Interrupted(TestbedError):
    """Stopped from outside."""

    exit_code = 130
    code = "interrupted"
