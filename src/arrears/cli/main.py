"""The `arrears` command: where it starts, if it can run here at all."""

import sys

ELSEWHERE = "arrears runs on Linux and macOS, and not on Windows; on Windows, use it in WSL"


def main() -> None:
    """Run the command and leave with its exit code.

    0 done, 1 something failed, 2 the request cannot be carried out as it stands, 130 interrupted.
    """
    if sys.platform == "win32":
        print(ELSEWHERE, file=sys.stderr)
        sys.exit(2)
    # Only now: what follows loads more than Windows has.
    from arrears.cli.start import start

    start()


if __name__ == "__main__":
    main()
