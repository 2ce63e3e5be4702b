"""`python -m undersong` is the same as the `undersong` command."""

from undersong.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
