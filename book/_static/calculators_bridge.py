"""Between the forms of the page and the calculators: text in, JSON out.  Runs in Brython."""

import itertools
import json

from browser import window

if not hasattr(itertools, "pairwise"):  # Brython's itertools ends with Python 3.9

    def pairwise(iterable):
        items = iter(iterable)
        try:
            before = next(items)
        except StopIteration:
            return
        for item in items:
            yield before, item
            before = item

    itertools.pairwise = pairwise

from synthecon.economics import calculators
from synthecon.economics import calculators_view as view


def calculate(name, given, currency):
    """One calculator; given: a JSON object of the fields' texts."""
    try:
        found = view.answer(calculators.find(name), json.loads(given), currency)
    except ValueError as error:
        return json.dumps({"error": str(error)})
    results = {o: getattr(found.result, o) for o in found.texts}
    curve = list(getattr(found.result, "curve", ()))
    told = {"texts": dict(found.texts), "results": results, "curve": curve}
    return json.dumps({**told, "says": found.says, "chart": found.chart})


window.synthecon_calculate = calculate
