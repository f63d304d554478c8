"""The exercises of the serving lab: what each accepts, and the mistakes that it knows."""

import numpy as np

from synthecon import paths, records, stats
from synthecon.economics import ledger, unit_cost
from synthecon.labs import Exercise, Wrong

# ---- price: a value, from the record and the ledger that the lab shows

SECONDS = "cpu/lesson-1-physics/serving-cost#seconds.student.exported.batch-1"


def inputs_of_the_price():
    rows = ledger.read(paths.root() / "case" / "ledger.csv")
    ids = ("price.cpu.vcpu-hour", "cpu.vcpus-per-core", "serving.utilisation")
    return records.find(SECONDS)[1].value, *(rows[i].base for i in ids)


def price():
    seconds, vcpu_hour, vcpus, utilisation = inputs_of_the_price()
    return unit_cost.per_million(seconds, vcpu_hour * vcpus, utilisation)


def half_a_core():
    return price() / inputs_of_the_price()[2]


def idle_is_a_discount():
    return price() * inputs_of_the_price()[3] ** 2


def idle_is_free():
    return price() * inputs_of_the_price()[3]


def seconds_for_hours():
    return price() * 3600


def of_one():
    return price() / 1e6


# ---- ratio: seconds of each round of one race


def races(rng):
    """A machine that slows down now and then, for both models alike."""
    asked = []
    for rounds in (5, 8, 11, 11):
        machine = np.exp(rng.normal(0, 0.6, rounds))
        one = 40e-6 * machine * np.exp(rng.normal(0, 0.2, rounds))
        two = 9e-6 * machine * np.exp(rng.normal(0, 0.2, rounds))
        asked.append((one.tolist(), two.tolist()))
    return asked


def ratio(teacher, student):
    pairs = zip(teacher, student, strict=True)
    return stats.geometric([a / b for a, b in pairs]).value


def medians(teacher, student):
    return float(np.median(teacher) / np.median(student))


def totals(teacher, student):
    return sum(teacher) / sum(student)


def plain_mean(teacher, student):
    return float(np.mean(np.divide(teacher, student)))


def upside_down(teacher, student):
    return ratio(student, teacher)


# ---- utilisation: core-hours hour by hour


def days(rng):
    """A fleet that grows and shrinks, and hours in which nobody asks anything."""
    asked = []
    for hours in (6, 12, 24):
        paid = rng.integers(2, 17, hours).astype(float)
        busy = np.round(paid * rng.uniform(0.1, 0.9, hours), 2)
        busy[rng.permutation(hours)[: hours // 4]] = 0.0
        asked.append((busy.tolist(), paid.tolist()))
    return asked


def utilisation(busy, paid):
    return float(np.average(np.divide(busy, paid), weights=paid))


def every_hour_counts_alike(busy, paid):
    return float(np.mean(np.divide(busy, paid)))


def silent_hours_dropped(busy, paid):
    awake = [(b, p) for b, p in zip(busy, paid, strict=True) if b]
    return sum(b for b, _ in awake) / sum(p for _, p in awake)


def always_the_largest_fleet(busy, paid):
    return sum(busy) / (max(paid) * len(paid))


def paid_per_busy(busy, paid):
    return 1 / utilisation(busy, paid)


EXERCISES = [
    Exercise(
        "price",
        minutes=5,
        difficulty="easy",
        oracle=price,
        expects="a number: money for a million inferences, in the ledger's currency",
        hints=(
            "Write the unit beside each input and cancel: core-seconds a million, money a "
            "vCPU-hour, vCPUs a core, and a share without a unit.",
            "A core that is busy for part of the paid time has to earn the whole of it. Does that "
            "make the inference dearer or cheaper?",
            "Try your formula by hand: 3600 core-seconds a million at 0.10 a core-hour, busy half "
            "of the time, must give 0.20.",
        ),
        wrong=(
            Wrong(
                half_a_core,
                "the price list sells vCPUs, and the seconds were measured on whole cores: see "
                "how many vCPUs one core-second pays for",
            ),
            Wrong(
                idle_is_a_discount,
                "utilisation pulls the price the wrong way: a machine that idles half of the time "
                "makes its work dearer, not cheaper",
            ),
            Wrong(
                idle_is_free,
                "that is the price on a machine that is never idle; the hours in which it waits "
                "are on the bill too",
            ),
            Wrong(
                seconds_for_hours,
                "seconds were multiplied by a price for an hour: bring them to one unit first",
            ),
            Wrong(
                of_one,
                "that is one inference; the core-seconds are already those of a million, and so "
                "is the price that is asked for",
            ),
        ),
    ),
    Exercise(
        "ratio",
        minutes=10,
        difficulty="medium",
        oracle=ratio,
        inputs=races,
        hints=(
            "Rounds are paired: in a slow round both models are slow. Which number of one round "
            "does not depend on how slow the machine was?",
            "You now have one ratio a round. Their average must turn into its inverse when teacher "
            "and student change places; which average does that?",
            "Average logarithms, then go back with exp.",
        ),
        wrong=(
            Wrong(
                medians,
                "each model was averaged by itself, so the pairing is lost: the two medians may "
                "come from a slow round and from a quick one",
            ),
            Wrong(
                totals,
                "the slowest rounds decide a sum; take the ratio within each round first, so that "
                "every round has one vote",
            ),
            Wrong(
                plain_mean,
                "the pairs are right, the average is not: change teacher and student, and yours "
                "does not turn into its inverse",
            ),
            Wrong(
                upside_down,
                "teacher and student have changed places: how many times *longer* does the teacher "
                "take?",
            ),
        ),
    ),
    Exercise(
        "utilisation",
        minutes=10,
        difficulty="medium",
        oracle=utilisation,
        inputs=days,
        hints=(
            "Take two hours: one with 2 cores, both busy, and one with 16 cores, all idle. What "
            "share of the paid core-hours was busy, and what does the function say?",
            "The bill counts core-hours. An hour with many cores must count for more.",
        ),
        wrong=(
            Wrong(
                every_hour_counts_alike,
                "an hour with two cores counts as much as an hour with sixteen; the bill does not "
                "see it that way",
            ),
            Wrong(
                silent_hours_dropped,
                "hours without a request were left out, and they were paid for",
            ),
            Wrong(
                always_the_largest_fleet,
                "you divide by the largest fleet all day long; the hours with fewer cores were "
                "cheaper",
            ),
            Wrong(
                paid_per_busy,
                "that is paid over busy; a share of the paid hours cannot pass 1",
            ),
        ),
    ),
]
