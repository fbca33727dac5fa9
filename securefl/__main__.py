"""``python -m securefl``."""

from securefl.cli.main import main

main()
