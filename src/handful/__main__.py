"""`python -m handful`: the command line."""

from handful.cli.main import main

if __name__ == "__main__":
    main()
