"""Synthetic Data Economics: experiments measure, records carry, the ledger prices."""

__version__ = "26.2"


class Problem(Exception):
    """Something the reader can put right: shown as one message, without a traceback."""
