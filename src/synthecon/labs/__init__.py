'''Labs: exercises that check themselves, derived from solutions that prove themselves.

    solutions/LESSON/NAME.ipynb   the lab, solved: the source
    solutions/LESSON/NAME.py      its exercises: minutes, difficulty, hints, oracle, wrong answers
    labs/LESSON/NAME.ipynb        the same notebook with holes: derived, never edited

Author's guide: an exercise in ten minutes
------------------------------------------

**1. In the solution notebook**, write three cells:

- Markdown: a heading, and what to do.  Name the function, its arguments with their units, and what
  it returns.  Minutes and difficulty do not stand here: they are put below the heading.
- Code: the answer, with the part to fill in between markers.  What stands outside them is given.

      def price_per_million(core_seconds, price, utilisation):
          """Money per million inferences."""
          ### BEGIN SOLUTION
          return core_seconds / 3600 * price / utilisation
          ### END SOLUTION

  The learner gets a line that says "not filled in yet".  For *find the bug*, or to give more, write
  what the learner gets as comments after a third marker:

          ### BEGIN SOLUTION
          return core_seconds / 3600 * price / utilisation
          ### STUB
          # return core_seconds / 3600 * price * utilisation
          ### END SOLUTION

- Code, alone in its cell: `check("NAME/price", price_per_million)`.  The second argument is the
  function itself, or a value.  Ask for a function wherever you can: it is compared with an oracle
  on fresh inputs, and so the message can show what was expected.  A value's message cannot.

A cell tagged `solution-only` is left out of the lab.  A cell whose output shows numbers that a new
run would change is tagged `nbval-ignore-output`.

**2. In the .py file beside it**, add an `Exercise` to the list EXERCISES:

    Exercise(
        "price",
        minutes=5,
        difficulty="easy",
        oracle=unit_cost.per_million,   # tested code of the package, not the solution again
        inputs=workloads,               # workloads(rng) -> [(seconds, price, utilisation), …]
        hints=("An hour has 3600 seconds.", "Idle hours are paid too, so …"),
        wrong=(
            Wrong(multiplied, "You multiplied by the utilisation: …"),
            Wrong(per_second, "That is the price of … "),
        ),
    )

A wrong answer is a function with the oracle's parameters that makes one plausible mistake, and what
to tell whoever makes it: which idea is off and where to look, not the right line.  Whoever's
answers are the same as those of a wrong one gets its text, so the wrong answers are the diagnosis
and its proof at once.  `inputs` draws new ones for every check (`rng` is a numpy Generator); draw
them so that no wrong answer is right by chance, and keep an edge case or two.

For a value: no `inputs`; the oracle and the wrong answers take no argument and compute it (from a
record, or the numbers of the task); `expects` says in words what is wanted.

A text that a learner writes is no exercise.  A `Page` in a list PAGES is marked by the grader, from
0 to 100, in a row of its own.

**3. Try it**

    python -m synthecon labs run NAME      # execute the solution, keep its outputs
    python -m synthecon labs derive        # write the labs
    python -m synthecon labs prove NAME    # solution right, stub not, wrong answers told apart

and open the lab once as a learner.  CI repeats all three.
'''

from synthecon.labs.check import check, hint
from synthecon.labs.exercises import Exercise, Page, Wrong

__all__ = ["Exercise", "Page", "Wrong", "check", "hint"]
