"""``python -m bot``, the same as the ``claudecost`` command."""

import atexit
import gc
import os
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line."""
    codes: list[int] = []
    atexit.register(_leave, codes)  # the first one, which is called when everything else has ended
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
        codes.append(end.code if isinstance(end.code, int) else 0)
        raise


def _leave(codes: list[int]) -> None:
    """Leave what was loaded to the system, which is done with it sooner than Python would be."""
    for code in codes:
        for stream in filter(None, (sys.stdout, sys.stderr)):  # a closed one is None
            with suppress(OSError):
                stream.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
