"""``python -m testbedctl``."""

from testbedctl.cli.main import main

main()
