"""The exercises of the lab on text: what each accepts, and the mistakes that it knows."""

import torch
from scipy.stats import entropy

from synthecon.economics import unit_cost
from synthecon.labs import Exercise, Wrong
from synthecon.physics import language

# ---- price: one request that was timed, and what an hour costs


def requests(rng):
    asked = []
    for texts, cores in ((1, 1), (1, 4), (64, 1), (32, 8)):
        characters = int(rng.integers(16, 200))
        speed = float(rng.uniform(300, 900))  # characters a second, one text
        seconds = characters / speed * texts**0.4
        price = float(rng.uniform(0.03, 0.2))
        busy = float(rng.uniform(0.2, 0.8))
        asked.append((seconds, texts, characters, cores, price, busy))
    return asked


def price(seconds, texts, characters, cores, core_hour, utilisation):
    core_seconds = 1e6 * cores * seconds / (texts * characters)
    return unit_cost.per_million(core_seconds, core_hour, utilisation)


def one_text_at_a_time(
    seconds, texts, characters, cores, core_hour, utilisation
):
    return price(seconds, 1, characters, cores, core_hour, utilisation)


def one_core_paid(seconds, texts, characters, cores, core_hour, utilisation):
    return price(seconds, texts, characters, 1, core_hour, utilisation)


def cores_share_the_time(
    seconds, texts, characters, cores, core_hour, utilisation
):
    return price(
        seconds / cores**2, texts, characters, cores, core_hour, utilisation
    )


def idle_is_a_discount(
    seconds, texts, characters, cores, core_hour, utilisation
):
    right = price(seconds, texts, characters, cores, core_hour, utilisation)
    return right * utilisation**2


def idle_is_free(seconds, texts, characters, cores, core_hour, utilisation):
    return price(seconds, texts, characters, cores, core_hour, 1.0)


def of_requests(seconds, texts, characters, cores, core_hour, utilisation):
    return price(seconds, 1, 1, cores, core_hour, utilisation)


# ---- write: logits of the next character by the last one, [V, V]


def models(rng):
    """Some dials, the harmless 1 among them; no draw falls where rounding decides."""
    asked = []
    for temperature in (1.0, 0.5, 0.8, 1.7):
        table = torch.from_numpy(1.5 * rng.normal(size=(6, 6)))
        start = torch.tensor([int(rng.integers(6))])
        last, draws = int(start[0]), []
        while len(draws) < 60:
            edges = (table[last] / temperature).softmax(-1).cumsum(-1)
            u = float(rng.uniform())
            if float((edges - u).abs().min()) > 1e-4:
                draws.append(u)
                last = int((edges < u).sum())
        uniform = torch.tensor(draws, dtype=torch.float64)
        asked.append((table, start, uniform, temperature))
    return asked


class _Bigrams:
    """A model of the package's kind that looks one character back."""

    window = 1

    def __init__(self, table):
        self.table = table

    def __call__(self, tokens, last):
        return self.table[tokens[..., -last:]]


def write(table, start, uniform, temperature):
    wide = start[None, None], len(uniform), uniform[None, None]
    return language.sample(_Bigrams(table), *wide, temperature)[0, 0]


def loop(table, start, uniform, chances):
    tokens = start
    for u in uniform:
        below = chances(table[tokens[-1]]).cumsum(-1)
        drawn = (below < u).sum().clamp(max=len(table) - 1)
        tokens = torch.cat([tokens, drawn[None]])
    return tokens


def divided_after(table, start, uniform, temperature):
    return loop(table, start, uniform, lambda z: z.softmax(-1) / temperature)


def upside_down(table, start, uniform, temperature):
    return loop(table, start, uniform, lambda z: (z * temperature).softmax(-1))


def not_a_distribution(table, start, uniform, temperature):
    return loop(
        table, start, uniform, lambda z: z.softmax(-1) ** (1 / temperature)
    )


def divided_and_shared_out(table, start, uniform, temperature):
    return loop(table, start, uniform, lambda z: z.softmax(-1))


def greedy_when_cool(table, start, uniform, temperature):
    def chances(z):
        if temperature >= 1:
            return (z / temperature).softmax(-1)
        return torch.nn.functional.one_hot(z.argmax(), len(z)).to(z.dtype)

    return loop(table, start, uniform, chances)


# ---- parts: student logits z and teacher logits t [B, V], sampling temperature


def places(rng):
    asked = []
    for temperature in (1.0, 0.5, 0.8, 1.6):
        z, t = (torch.from_numpy(2 * rng.normal(size=(6, 7))) for _ in range(2))
        asked.append((z, t, temperature))
    return asked


def parts(z, t, temperature):
    q = (z / temperature).softmax(-1).numpy()
    differs = language.reverse_kl(z / temperature, t)
    return float(entropy(q, axis=-1).mean()), float(differs.mean())


def forward(z, t, temperature):
    differs = language.forward_kl(z / temperature, t)
    return parts(z, t, temperature)[0], float(differs.mean())


def teacher_turned_down_too(z, t, temperature):
    return parts(z, t, temperature)[0], parts(
        z / temperature, t / temperature, 1.0
    )[1]


def dial_forgotten(z, t, temperature):
    return parts(z, t, 1.0)


def surprise_itself(z, t, temperature):
    own, differs = parts(z, t, temperature)
    return own, own + differs


def doubt_of_the_teacher(z, t, temperature):
    return parts(t, z, 1.0)[0], parts(z, t, temperature)[1]


def in_bits(z, t, temperature):
    ln2 = 0.6931471805599453
    own, differs = parts(z, t, temperature)
    return own / ln2, differs / ln2


EXERCISES = [
    Exercise(
        "price",
        minutes=5,
        difficulty="easy",
        oracle=price,
        inputs=requests,
        hints=(
            "How many characters were written in those seconds? Not only by one text.",
            "While the request runs, all its cores are taken. Work out core-seconds for one "
            "character, then for a million.",
            "An hour has 3600 seconds, and the hours in which a core waits have to be earned too.",
        ),
        wrong=(
            Wrong(
                one_text_at_a_time,
                "you priced one text of the batch as if it had the machine to itself; all the "
                "texts were written in the same seconds",
            ),
            Wrong(
                one_core_paid,
                "one core is paid for, and the request kept several of them busy",
            ),
            Wrong(
                cores_share_the_time,
                "you divide by the cores; the seconds were measured with all of them at work "
                "already, and each of them is on the bill",
            ),
            Wrong(
                idle_is_a_discount,
                "utilisation pulls the price the wrong way: a machine that waits half of the time "
                "makes its characters dearer",
            ),
            Wrong(
                idle_is_free,
                "that is the price on a machine that never waits: who pays for its idle hours?",
            ),
            Wrong(
                of_requests,
                "that is the price of a million requests; each of them wrote many characters",
            ),
        ),
    ),
    Exercise(
        "write",
        minutes=10,
        difficulty="medium",
        oracle=write,
        inputs=models,
        hints=(
            "Print the sum of `p` at temperature 0.5. What should it be, and what does the draw do "
            "when it is not?",
            "A number that divides all chances alike cannot make the likely ones likelier. On what "
            "does a temperature have to act, so that it does?",
        ),
        wrong=(
            Wrong(
                divided_after,
                "all chances are divided by the same number, so none becomes likelier than "
                "another; they only stop adding up to 1",
            ),
            Wrong(
                divided_and_shared_out,
                "the chances add up to 1 again, and the dial does nothing: the factor that you "
                "took out was all that the temperature had done",
            ),
            Wrong(
                upside_down,
                "the dial turns the wrong way: below 1 the model must take fewer risks, and yours "
                "takes more",
            ),
            Wrong(
                not_a_distribution,
                "the proportions are right, the sum is not: the draw expects chances that add up "
                "to 1",
            ),
            Wrong(
                greedy_when_cool,
                "below 1 you always take the likeliest character; that is temperature 0, and 0.8 "
                "still takes risks",
            ),
        ),
    ),
    Exercise(
        "parts",
        minutes=15,
        difficulty="hard",
        oracle=parts,
        inputs=places,
        expects="two numbers: the student's entropy, and its divergence from the teacher",
        hints=(
            "Who writes the text? Both parts are averages over what *that* model would say next.",
            "Write q for the student at its sampling temperature, p for the teacher as it is. The "
            "surprise is the sum over characters of −q · log p; add and subtract q · log q.",
            "Test yourself: the two parts must add up to the mean of −Σ q · log p.",
        ),
        wrong=(
            Wrong(
                forward,
                "the divergence runs the other way round and weighs by the teacher; on own text it "
                "is the student who chooses the words",
            ),
            Wrong(
                teacher_turned_down_too,
                "the teacher was turned down with the student; it only reads, and judges by its "
                "own distribution as it is",
            ),
            Wrong(
                dial_forgotten,
                "the sampling temperature never arrives: the text is written by the colder student",
            ),
            Wrong(
                surprise_itself,
                "the second number is the whole surprise; the student's own entropy is still in it",
            ),
            Wrong(
                doubt_of_the_teacher,
                "the first number is the teacher's entropy; it was the student who drew the text",
            ),
            Wrong(
                in_bits,
                "these are bits, from a logarithm to base 2; nats come from the natural one",
            ),
        ),
    ),
]
