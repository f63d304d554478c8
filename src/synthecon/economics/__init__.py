"""Lesson 2: what measurements are worth in money.  Standard library only; no torch, no physics."""
