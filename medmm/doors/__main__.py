"""`python -m medmm.doors`: the command line where the script `medmm` is not on the path."""

from medmm.doors.cli import main

main()
