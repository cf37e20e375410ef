"""``python -m bot``, the same as the ``claudecost`` command."""

import atexit
import gc
import os
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line."""
    ends: list[SystemExit] = []
    atexit.register(_leave, ends)  # registered first, it is called last
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
    except SystemExit as end:
        ends.append(end)
        raise


def _leave(ends: list[SystemExit]) -> None:
    """Leave what a command loaded to the system, which is done with it sooner than Python would be.

    Threads and what else is registered have ended by now. Nothing where no command came to its end.
    """
    if not ends or not isinstance(ends[0].code, int):
        return
    for stream in filter(None, (sys.stdout, sys.stderr)):  # a closed one is None
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(ends[0].code)


if __name__ == "__main__":
    main()
