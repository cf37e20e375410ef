"""The query builder and the tables it knows, loaded with the first statement that is built with them.

To load them takes longer than most commands run, and those that import usage need the driver alone. So modules here use
them by attribute (``sa.select``, ``tables.people``), and only inside of functions.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["sa", "tables"]

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bot.store import tables
else:

    class _Lazy:
        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            found = getattr(import_module(self._name), attribute)
            setattr(self, attribute, found)
            return found

    sa, tables = _Lazy("sqlalchemy"), _Lazy("bot.store.tables")
