"""Figures of lesson 1, a module a notebook.  Each function draws one picture from numbers that the
notebook computed; `common` has what several notebooks draw."""
