"""``python -m jaxpath`` is the command ``jaxpath``."""

from jaxpath.cli import main

if __name__ == "__main__":
    main()
