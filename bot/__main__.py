"""``python -m bot``, the same as the ``claudecost`` command."""

import gc


def main() -> None:
    """Run the command line."""
    # What a command loads stays to its end: to look for garbage in it meanwhile took a fifth of its time.
    gc.set_threshold(100_000)
    from bot.cli import main as run

    run()


if __name__ == "__main__":
    main()
