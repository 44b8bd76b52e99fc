"""The `arrears` command, from its start to its exit code."""

import sys

INTERRUPTED = 130
ELSEWHERE = "arrears runs on Linux and macOS, and not on Windows; on Windows, use it in WSL"


def main() -> None:
    """Run the command and leave with its exit code.

    0 done, 1 something failed, 2 the request cannot be carried out as it stands, 130 interrupted.
    """
    if sys.platform == "win32":
        print(ELSEWHERE, file=sys.stderr)
        sys.exit(2)
    # Only now: what follows loads more than Windows has.
    import click

    from arrears.cli.commands import cli
    from arrears.errors import ArrearsError

    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show(sys.stderr)
        sys.exit(error.exit_code)
    except ArrearsError as error:
        print(f"arrears: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        print("\narrears: interrupted; resume with the same command", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of a pipe has left; there is no one to tell.
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
