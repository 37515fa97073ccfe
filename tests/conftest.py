"""What every test relies on."""

from __future__ import annotations

import signal

# A shell starts its background jobs with Ctrl-C ignored, and children inherit that: whoever presses it in a
# test would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
