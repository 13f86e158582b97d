"""``python -m dianet_lab.cli``."""

from dianet_lab.cli.app import main

if __name__ == "__main__":
    main()
