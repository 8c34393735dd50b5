"""``python -m jackcomp`` is ``jackcomp``."""

from jackcomp.cli import main

main(prog_name="jackcomp")
