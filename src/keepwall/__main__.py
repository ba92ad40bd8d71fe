"""Entry point of ``python -m keepwall``."""

from keepwall.cli.main import main

if __name__ == "__main__":
    main()
