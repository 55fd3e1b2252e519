"""`python -m vast_emulator`."""

from vast_emulator.cli import main

main(prog_name="vast-emulator")
