"""A stand-in for whoever sells labels and answers, with books of its own.

Each order carries a key.  An order whose key the provider has seen is answered with the receipt of
the first one, and not charged: a buyer that was killed between paying and writing it down may ask
again.  The books are an SQLite file that belongs to the provider alone; the buyer never reads it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from synthecon import Problem

TABLES = """
create table if not exists charges (
  key text primary key, item text not null, units integer not null, amount real not null);
create table if not exists orders (number integer primary key, key text not null);
"""


@dataclass(frozen=True)
class Receipt:
    """What was charged for an order: `units` of `item`, `amount` of money in all."""

    key: str
    item: str
    units: int
    amount: float


class Provider:
    """Sells items at list prices.  prices: money a unit, by item.

    Raises:
        Problem: here and wherever the books are opened: they cannot be read.
    """

    def __init__(self, books: Path, prices: Mapping[str, float]) -> None:
        self.prices = dict(prices)
        books.parent.mkdir(parents=True, exist_ok=True)
        self._books = books
        with self._open() as db:
            db.executescript(TABLES)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._books, timeout=30)) as db, db:
                yield db
        except sqlite3.Error as error:
            raise Problem(
                f"{self._books}: the provider cannot read its books: {error}; "
                "put the file back as it was, or start a new run"
            ) from None

    def quote(self, item: str, units: int) -> float:
        """What so many units cost.

        Raises:
            Problem: the provider does not sell that, or a number below zero.
        """
        if item not in self.prices or units < 0:
            raise Problem(f"no price for {units} of {item!r}: on sale are {', '.join(self.prices)}")
        return self.prices[item] * units

    def buy(self, key: str, item: str, units: int) -> Receipt:
        """Charge an order, unless its key was charged before.

        Raises:
            Problem: the key was used for another order; or what `quote` refuses.
        """
        amount = self.quote(item, units)
        with self._open() as db:
            db.execute("insert into orders (key) values (?)", (key,))
            db.execute(
                "insert or ignore into charges values (?, ?, ?, ?)", (key, item, units, amount)
            )
            row = db.execute(
                "select key, item, units, amount from charges where key = ?", (key,)
            ).fetchone()
        receipt = Receipt(*row)
        if (receipt.item, receipt.units) != (item, units):
            raise Problem(f"order {key!r} was {receipt.units} of {receipt.item!r} the first time")
        return receipt

    def bill(self) -> list[Receipt]:
        """Everything that was charged, in the order of the keys."""
        with self._open() as db:
            rows = db.execute("select key, item, units, amount from charges order by key")
            return [Receipt(*row) for row in rows]

    def orders(self) -> int:
        """How often somebody ordered, charged or not."""
        with self._open() as db:
            return int(db.execute("select count(*) from orders").fetchone()[0])
