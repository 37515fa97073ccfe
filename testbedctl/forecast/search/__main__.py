"""A worker in a process of its own: ``python -m testbedctl.forecast.search ASSIGNMENT`` (JSON)."""

from __future__ import annotations

import json
import sys

from testbedctl.errors import TestbedError
from testbedctl.forecast.search.worker import Assignment, work


def main() -> int:
    """Work; an error goes to stderr as one line of JSON."""
    try:
        work(Assignment.model_validate_json(sys.argv[1]), lambda _progress: None)
    except TestbedError as error:
        print(json.dumps(error.as_dict()), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
