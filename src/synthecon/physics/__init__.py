"""Lesson 1: experiments that measure.  Nothing here knows what anything costs in money."""
