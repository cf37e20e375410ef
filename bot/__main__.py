"""``python -m bot``, the same as the ``claudecost`` command."""

import gc
import os
import sys


def main() -> None:
    """Run the command line."""
    try:
        # What a command loads stays to its end: to look for garbage in it meanwhile took a fifth of its time.
        gc.set_threshold(100_000)
        # To look through every installed package for plugins of pydantic takes as long as Python's own start.
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
        from bot.cli import main as run

        run()
    except KeyboardInterrupt:  # before there is a command that says so
        print("Interrupted before anything began.", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
