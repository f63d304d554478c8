"""Language models against plain PyTorch, divergences against SciPy, and who learns from what."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from torch import Tensor, nn
from torch.distributions import Categorical, kl_divergence

from synthecon.physics import cost, language, losses, text
from synthecon.physics.language import Arm, Group, Plan
from synthecon.physics.train import DivergedError, Recipe

V = len(text.ALPHABET)
NETS = ("mlp-3-4-6", "transformer-12-8-2")
PLAN = Plan(lead=4, span=4)
RECIPE = Recipe(steps=4, batch=3, lr=0.02, weight_decay=0.01, warmup=1)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tokens(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(V, shape, generator=rng(seed))


def groups(count: int = 2, seed: int = 10) -> tuple[Group, ...]:
    """Random text in which each group has characters of its own."""

    def draw(g: int, size: int, salt: int) -> Tensor:
        return 30 * g + torch.randint(30, (size,), generator=rng(100 * g + salt))

    return tuple(
        Group(seed + g, draw(g, 300, 1), draw(g, 90, 2), draw(g, 120, 3)) for g in range(count)
    )


# ---- networks


@pytest.mark.parametrize("name", NETS)
def test_a_student_is_itself_in_any_company(name):
    stack = language.build(name, [5, 6, 7])
    x = tokens(3, 2, 10)
    out = stack(x, 4)
    assert out.shape == (3, 2, 4, V)
    alone = language.build(name, [6])
    torch.testing.assert_close(alone(x[1:2], 4), out[1:2])
    taken = language.take(stack, [2, 0])
    torch.testing.assert_close(taken(x[[2, 0]], 4), out[[2, 0]])
    assert not torch.allclose(out[0], stack(x[:1].expand(3, -1, -1), 4)[1])
    size = sum(p.numel() for p in alone.parameters())
    assert language.parameters(stack) == size


@pytest.mark.parametrize("name", NETS)
def test_no_place_sees_what_comes_after_it(name):
    net = language.build(name, [1])
    x = tokens(1, 1, 12)
    before = net(x, 8)
    changed = x.clone()
    changed[..., 9:] = (changed[..., 9:] + 1) % V
    after = net(changed, 8)
    # The 8 places are those after characters 4 to 11: the first five end before character 9.
    torch.testing.assert_close(after[..., :5, :], before[..., :5, :])
    assert (after[..., 5:, :] - before[..., 5:, :]).abs().amax(-1).min() > 1e-4


@pytest.mark.parametrize(("name", "reach"), [("mlp-3-4-6", 3), ("transformer-12-8-2", 12)])
def test_a_place_sees_the_whole_window_and_no_more(name, reach):
    net = language.build(name, [1])
    x = tokens(1, 1, 12)
    before = net(x, 1)
    for back in range(1, 13):
        changed = x.clone()
        changed[..., -back] = (changed[..., -back] + 1) % V
        moved = (net(changed, 1) - before).abs().max() > 1e-6
        assert moved == (back <= reach)


def test_the_mlp_is_the_ordinary_one():
    net = language.build("mlp-3-4-6", [1, 2])
    x = tokens(2, 5, 7)
    for k in range(2):
        table = net.embedding.weight[k]
        seen = torch.stack([x[k, :, i : i + 3] for i in range(5)], 1)  # 5 places of 3 characters
        h = F.leaky_relu(table[seen].flatten(2) @ net.inner.weight[k] + net.inner.bias[k], 0.1)
        expected = h @ net.head.weight[k] + net.head.bias[k]
        torch.testing.assert_close(net(x, 5)[k], expected)


def test_the_transformer_is_pytorchs():
    """Against nn.TransformerEncoderLayer, pre-norm and causal, with the same numbers in it."""
    net = language.build("transformer-9-64-2", [1, 2])
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=rng(1)))  # biases and norms that matter
    x = tokens(2, 3, 9)
    out = net(x, 9)
    mask = nn.Transformer.generate_square_subsequent_mask(9)
    for k in range(2):
        h = net.embedding.weight[k][x[k]] + net.places.weight[k]
        for block in net.blocks:
            layer = nn.TransformerEncoderLayer(
                64, 2, 256, 0.0, "gelu", batch_first=True, norm_first=True
            )
            pairs = (
                (layer.self_attn.in_proj_weight, block.attend.weight[k].T),
                (layer.self_attn.in_proj_bias, block.attend.bias[k, 0]),
                (layer.self_attn.out_proj.weight, block.join.weight[k].T),
                (layer.self_attn.out_proj.bias, block.join.bias[k, 0]),
                (layer.linear1.weight, block.up.weight[k].T),
                (layer.linear1.bias, block.up.bias[k, 0]),
                (layer.linear2.weight, block.down.weight[k].T),
                (layer.linear2.bias, block.down.bias[k, 0]),
                (layer.norm1.weight, block.norm1.scale[k, 0]),
                (layer.norm1.bias, block.norm1.bias[k, 0]),
                (layer.norm2.weight, block.norm2.scale[k, 0]),
                (layer.norm2.bias, block.norm2.bias[k, 0]),
            )
            with torch.no_grad():
                for theirs, ours in pairs:
                    theirs.copy_(ours)
            h = layer(h, src_mask=mask, is_causal=True)
        h = F.layer_norm(h, (64,), net.norm.scale[k, 0], net.norm.bias[k, 0])
        expected = h @ net.head.weight[k] + net.head.bias[k]
        torch.testing.assert_close(out[k], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["mlp-3-4", "cnn-3-4-5", "mlp-3-x-5", "mlp-0-4-5", "mlp-3-4-5-6"])
def test_an_unknown_network(name):
    with pytest.raises(ValueError, match="mlp-4-8-16"):
        language.build(name, [1])


def test_networks_that_cannot_be():
    with pytest.raises(ValueError, match="0 seeds"):
        language.build("mlp-3-4-6", [])
    with pytest.raises(ValueError, match="3 heads"):
        language.build("transformer-8-100-1", [1])
    with pytest.raises(ValueError, match="need 6"):
        language.build("mlp-3-4-6", [1])(tokens(1, 1, 5), 4)
    with pytest.raises(ValueError, match="window is 12"):
        language.build("transformer-12-8-2", [1])(tokens(1, 1, 13), 4)


# ---- divergences

RAW = st.lists(st.floats(-8, 8), min_size=5, max_size=5)


@settings(max_examples=50)
@given(RAW, RAW)
def test_divergences_are_pytorchs_and_scipys(a, b):
    z, t = (torch.tensor(x, dtype=torch.float64) for x in (a, b))
    student, teacher = Categorical(logits=z), Categorical(logits=t)
    forward, reverse = language.forward_kl(z, t), language.reverse_kl(z, t)
    torch.testing.assert_close(forward, kl_divergence(teacher, student))
    torch.testing.assert_close(reverse, kl_divergence(student, teacher))
    half = language.jsd(z, t).item()
    distance = float(np.nan_to_num(jensenshannon(student.probs.numpy(), teacher.probs.numpy())))
    assert half == pytest.approx(distance**2, abs=1e-9)
    assert -1e-12 <= half <= math.log(2) + 1e-12
    assert language.jsd(z, t, 0.3).item() == pytest.approx(language.jsd(t, z, 0.7).item())


def test_jsd_is_the_papers_and_runs_from_forward_to_reverse():
    z, t = (2 * torch.randn(7, 9, generator=rng(s), dtype=torch.float64) for s in (1, 2))
    p, q = (Categorical(logits=x) for x in (t, z))
    m = Categorical(probs=0.2 * p.probs + 0.8 * q.probs)
    expected = 0.2 * kl_divergence(p, m) + 0.8 * kl_divergence(q, m)
    torch.testing.assert_close(language.jsd(z, t, 0.2), expected)
    near = 1e-7
    torch.testing.assert_close(
        language.jsd(z, t, near) / near, language.forward_kl(z, t), rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(
        language.jsd(z, t, 1 - near) / near, language.reverse_kl(z, t), rtol=1e-4, atol=1e-4
    )
    for beta in (0, 1, 1.5):
        with pytest.raises(ValueError, match="between 0 and 1"):
            language.jsd(z, t, beta)


def test_softened_logits_are_those_of_the_first_notebook():
    z, t = (torch.randn(6, 9, generator=rng(s)) for s in (1, 2))
    theirs = 9 * losses.kl(t.T[None], z.T[None], 3.0)
    torch.testing.assert_close(language.forward_kl(z, t, 3.0).mean()[None], theirs)


def test_surprise_is_cross_entropy():
    z, x = torch.randn(2, 3, 4, V, generator=rng()), tokens(2, 3, 4)
    expected = F.cross_entropy(z.flatten(0, 2), x.flatten(), reduction="none").view(2, 3, 4)
    torch.testing.assert_close(language.surprise(z, x), expected)


# ---- writing


class Fixed(nn.Module):
    """Always the same distribution, whatever was read."""

    window, students = 2, 1

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, x: Tensor, last: int) -> Tensor:
        return self.logits.expand(*x.shape[:2], last, -1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_characters_come_as_often_as_the_softmax_says(temperature):
    logits = torch.tensor([0.0, 1.0, -1.0, 2.0])
    even = (torch.arange(4000) + 0.5) / 4000  # every quantile once
    prompts = torch.zeros(1, 4000, 2, dtype=torch.int64)
    drawn = language.sample(Fixed(logits), prompts, 1, even.view(1, -1, 1), temperature)[0, :, -1]
    shares = drawn.bincount(minlength=4) / 4000
    torch.testing.assert_close(shares, (logits / temperature).softmax(0), rtol=0, atol=6e-4)


@pytest.mark.parametrize("name", NETS)
def test_writing_is_a_loop(name):
    net = language.build(name, [3, 4])
    u = torch.rand(2, 2, 15, generator=rng())
    start = tokens(2, 2, 6)
    made = language.sample(net, start, 15, u, 0.7)
    assert made.shape == (2, 2, 21)
    assert torch.equal(made[..., :6], start)
    one, row = language.take(net, [1]), start[1, 0].tolist()
    for step in range(15):
        z = one(torch.tensor(row[-net.window :]).view(1, 1, -1), 1).flatten() / 0.7
        below = itertools.accumulate(z.softmax(0).tolist())
        row.append(next(i for i, share in enumerate(below) if share > u[1, 0, step]))
    assert made[1, 0].tolist() == row


def test_a_draw_at_the_very_end_is_a_character():
    logits = torch.full((5,), 0.0)
    u = torch.tensor([[[1 - 1e-8]]])  # 1.0 in float32
    made = language.sample(Fixed(logits), torch.zeros(1, 1, 2, dtype=torch.int64), 1, u)
    assert made[0, 0, -1] == 4


def test_students_of_a_group_share_prompts_and_draws():
    both = groups()
    net = language.build("mlp-3-4-6", [1, 1, 1, 1])  # two of each group
    made = language.written(net, both, PLAN, 3, 8, 0, "train")
    assert torch.equal(made[0], made[1])
    assert torch.equal(made[2], made[3])
    assert made[:2, :, :4].max() < 30 <= made[2:, :, :4].min()
    alone = language.written(language.take(net, [2, 3]), both[1:], PLAN, 3, 8, 0, "train")
    assert torch.equal(made[2:], alone)
    elsewhere = language.written(net, both, PLAN, 3, 8, 0, "test")
    assert not torch.equal(made[..., :4], elsewhere[..., :4])


@pytest.mark.parametrize("name", NETS)
def test_a_score_is_of_the_distribution_that_the_character_was_drawn_from(name):
    net = language.build(name, [3, 4])
    x = tokens(4, 2, 10)  # two students of each teacher
    out = language.score(net, x, 3)
    assert out.shape == (4, 2, 3, V)
    for k in range(4):
        teacher = language.take(net, [k // 2])
        for place in (7, 8, 9):
            expected = teacher(x[k : k + 1, :, :place], 1)[0, :, 0]
            torch.testing.assert_close(out[k, :, place - 7], expected)


# ---- text in pieces


def test_pieces_come_from_the_groups_own_text():
    both = groups()
    texts = [g.train for g in both]
    where = language.starts(texts, 50, 7, [1, 2])
    pieces = language.cut(texts, where, 7)
    assert pieces.shape == (2, 50, 7)
    for g in range(2):
        for piece, start in zip(pieces[g], where[g], strict=True):
            assert torch.equal(piece, texts[g][start : start + 7])
    assert torch.equal(language.starts(texts[1:], 50, 7, [2])[0], where[1])
    assert {*language.starts([torch.zeros(9)], 200, 7, [0])[0].tolist()} == {0, 1, 2}
    with pytest.raises(ValueError, match="9 characters has no piece of 10"):
        language.starts([torch.zeros(9)], 1, 10, [0])


def test_groups_hold_their_own_topics():
    corpus = text.load(60_000)
    (one, two) = language.make_groups(corpus, [1, 2], validation=0.1, test=0.3)
    part = text.split(corpus, 1, 0.1, 0.3)
    assert text.decode(one.test) == "\n\n".join(corpus.topics[n] for n in part.test)
    assert text.decode(one.train) == "\n\n".join(corpus.topics[n] for n in part.train)
    assert text.decode(one.validation) == "\n\n".join(corpus.topics[n] for n in part.validation)
    assert not torch.equal(one.test[:200], two.test[:200])


@pytest.mark.parametrize("name", NETS)
def test_held_out_is_the_mean_surprise_character_by_character(name):
    both = groups()
    texts = [both[0].test[:50], both[1].test[:47]]
    net = language.build(name, [1, 2, 3, 4])
    found = language.held_out(net, texts, 4, 4)
    pieces = (47 - 4) // 4
    for k in range(4):
        one, own = language.take(net, [k]), texts[k // 2]
        total = 0.0
        for place in range(4, 4 + 4 * pieces):
            start = (place - 4) // 4 * 4
            z = one(own[start:place].view(1, 1, -1), 1).flatten()
            total -= z.log_softmax(0)[own[place]].item()
        assert found[k].item() == pytest.approx(total / (4 * pieces), rel=1e-5)
    first = language.held_out(net, [t[:8] for t in texts], 4, 4)
    torch.testing.assert_close(language.held_out(net, texts, 4, 4, most=1), first)
    with pytest.raises(ValueError, match="shorter than"):
        language.held_out(net, [t[:7] for t in texts], 4, 4)


# ---- training


def weights(net: nn.Module, students: slice | list[int]) -> Tensor:
    return torch.cat([p.detach()[students].flatten(1) for p in net.parameters()], 1)


def school(count: int = 2) -> tuple[tuple[Group, ...], nn.Module, nn.Module, Tensor]:
    """Groups, a base of two students each, a teacher each, and what the teachers wrote."""
    some = groups(count)
    teacher = language.build("mlp-4-6-8", list(range(count)))
    with torch.no_grad():
        teacher.head.weight.mul_(4)
    base = language.build("mlp-3-4-6", list(range(20, 20 + 2 * count)))
    return some, base, teacher, language.written(teacher, some, PLAN, 6, 30, 9, "train")


FIXED = [Arm("plain", "text"), Arm("logits", "logits"), Arm("told", "sequence")]
OWN = [Arm("reverse", "reverse"), Arm("jsd", "jsd", beta=0.3)]


@pytest.mark.parametrize("arms", [FIXED, OWN])
def test_a_stack_trains_as_its_students_would_alone(arms):
    """Arms, first weights and groups do not touch: each student meets its own teacher and text."""
    some, base, teacher, library = school()
    whole = language.distil(some, base, arms, teacher, RECIPE, PLAN, library=library)
    assert whole.students == 4 * len(arms)
    for a, arm in enumerate(arms):
        for g in range(2):
            part = language.distil(
                some[g : g + 1],
                language.take(base, [2 * g + 1]),
                [arm],
                language.take(teacher, [g]),
                RECIPE,
                PLAN,
                library=library[g : g + 1],
            )
            mine = [(2 * g + 1) * len(arms) + a]
            torch.testing.assert_close(weights(whole, mine), weights(part, [0]))


@pytest.mark.parametrize("arms", [FIXED, OWN])
def test_no_held_out_text_reaches_a_student(arms):
    some, base, teacher, library = school()
    swapped = [Group(g.seed, g.train, g.test[:80], g.train[:90]) for g in some]
    one, two = (
        language.distil(x, base, arms, teacher, RECIPE, PLAN, library=library)
        for x in (some, swapped)
    )
    assert torch.equal(weights(one, slice(None)), weights(two, slice(None)))
    other = [Group(g.seed, g.train.flip(0), g.validation, g.test) for g in some]
    three = language.distil(other, base, arms, teacher, RECIPE, PLAN, library=library)
    same = (weights(one, slice(None)) == weights(three, slice(None))).all(1).view(4, -1)
    assert same.all(0).tolist() == [arm.kind == "sequence" for arm in arms]


@pytest.mark.parametrize("arm", [*FIXED, Arm("soft", "logits", temperature=3.0), *OWN])
def test_each_arm_descends_its_own_loss(arm):
    """One step of plain SGD in the notebook's words has the direction of the package's gradient."""
    some, base, teacher, library = school(1)
    base = language.take(base, [0])
    make = language._on_policy if arm.on_policy else language._fixed
    net = language.take(base, [0])
    found = make(some, net, [arm], teacher, RECIPE, PLAN, library)(0)
    if arm.on_policy:
        x = language.written(base, some, PLAN, 3, 4, 100, "train")
    elif arm.kind == "sequence":
        flat = library[0].flatten().tolist()
        rows = [library[0, r].tolist() for r in range(6)]
        total = sum(
            -F.log_softmax(z, -1)[c]
            for piece in _pieces(some, net, arm, teacher, library)
            for z, c in zip(base(piece[:-1].view(1, 1, -1), 4)[0, 0], piece[-4:], strict=True)
        )
        assert found.item() == pytest.approx(total.item() / 12, rel=1e-5)
        for piece in _pieces(some, net, arm, teacher, library):  # within one page of the teacher
            text_of = piece.tolist()
            assert any(text_of == row[i : i + 8] for row in rows for i in range(27)), flat[:5]
        return
    else:
        where = language.starts([some[0].train], 12, 8, [some[0].seed + 1]).view(1, 4, 3)[:, 0]
        x = language.cut([some[0].train], where, 8)
    z, t = base(x[..., :-1], 4), teacher(x[..., :-1], 4)
    p, q = Categorical(logits=t), Categorical(logits=z)
    match arm.kind:
        case "text":
            expected = -q.log_prob(x[..., -4:])
        case "logits":
            s = arm.temperature
            soft = kl_divergence(Categorical(logits=t / s), Categorical(logits=z / s))
            expected = s**2 * soft
        case "reverse":
            expected = kl_divergence(q, p)
        case _:
            m = Categorical(probs=arm.beta * p.probs + (1 - arm.beta) * q.probs)
            expected = arm.beta * kl_divergence(p, m) + (1 - arm.beta) * kl_divergence(q, m)
    torch.testing.assert_close(found[0], expected.mean())
    found.sum().backward()
    expected.mean().backward()
    for mine, its in zip(net.parameters(), base.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, its.grad)


def _pieces(some, net, arm, teacher, library) -> Tensor:
    """What a sequence arm reads in its first step, caught on its way into the network."""
    caught = []
    hook = net.register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
    full = []
    cut = language.cut

    def spy(*arguments):
        full.append(cut(*arguments))
        return full[-1]

    language.cut = spy
    try:
        language._fixed(some, net, [arm], teacher, RECIPE, PLAN, library)(0)
    finally:
        language.cut = cut
        hook.remove()
    told = full[-1][0]
    assert torch.equal(caught[-1][0], told[:, :-1])
    return told


def test_arms_begin_with_the_weights_of_the_base():
    some, base, teacher, library = school()
    still = Recipe(steps=1, batch=2, lr=0.0)
    net = language.distil(some, base, FIXED, teacher, still, PLAN, library=library)
    for a in range(3):
        own = list(range(a, 12, 3))
        assert torch.equal(weights(net, own), weights(base, slice(None)))


def test_distilling_refuses():
    some, base, teacher, _ = school()
    with pytest.raises(ValueError, match="apart"):
        language.distil(some, base, [FIXED[0], OWN[0]], teacher, RECIPE, PLAN)
    with pytest.raises(ValueError, match="library"):
        language.distil(some, base, FIXED, teacher, RECIPE, PLAN)


def test_a_window_that_is_never_filled_is_refused():
    some, recipe = groups(), Recipe(steps=1, batch=2)
    language.train_text(some, "transformer-7-8-1", [1, 2], recipe, PLAN)  # 4 + 4, less one
    with pytest.raises(ValueError, match="at most 7"):
        language.train_text(some, "transformer-8-8-1", [1, 2], recipe, PLAN)


def test_training_learns_and_keeps_the_best_weights():
    some = groups()
    seeds = [1, 2]
    recipe = Recipe(steps=60, batch=8, lr=0.05, weight_decay=0.0)
    net = language.train_text(some, "mlp-3-4-6", seeds, recipe, PLAN)
    tests = [g.test for g in some]
    fresh = language.held_out(language.build("mlp-3-4-6", seeds), tests, 4, 4)
    found = language.held_out(net, tests, 4, 4)
    assert (found < fresh - 0.5).all()
    assert found.mean() > math.log(30) - 0.1  # random text cannot be predicted better

    long = Recipe(steps=300, batch=8, lr=0.05, weight_decay=0.0)
    held = [g.validation for g in some]
    last = language.train_text(some, "mlp-3-4-24", seeds, long, PLAN)
    best = language.train_text(some, "mlp-3-4-24", seeds, long, PLAN, checks=10)
    late, early = (language.held_out(n, held, 4, 4) for n in (last, best))
    assert (early < late - 0.1).all()  # the last weights know the training text by heart


def test_each_student_keeps_its_own_best():
    net = language.build("mlp-3-4-6", [1, 2])
    seen: list[Tensor] = []
    numbers = iter([[3.0, 1.0], [2.0, 2.0], [2.5, 3.0]])

    def watch() -> Tensor:
        seen.append(weights(net, slice(None)))
        return torch.tensor(next(numbers))

    def losses_(step: int) -> Tensor:
        return net(tokens(2, 2, 6, seed=step), 3).square().mean((1, 2, 3))

    language.fit(net, Recipe(steps=6, lr=0.1, warmup=1), losses_, watch=watch, every=2)
    final = weights(net, slice(None))
    assert torch.equal(final[0], seen[1][0])
    assert torch.equal(final[1], seen[0][1])
    assert not torch.equal(seen[0], seen[1])


def test_biases_do_not_decay():
    net = language.build("transformer-12-8-2", [1, 2])
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    zero = Recipe(steps=1, lr=0.1, weight_decay=0.5, warmup=1)
    language.fit(net, zero, lambda step: sum(p.sum() for p in net.parameters()) * torch.zeros(2))
    for name, p in net.named_parameters():
        shrunk = 0.95 if name.endswith("weight") else 1.0
        torch.testing.assert_close(p.detach(), shrunk * before[name])


def test_a_loss_that_is_no_number():
    net = language.build("mlp-3-4-6", [1, 2])
    broken = torch.tensor([1.0, math.nan])
    with pytest.raises(DivergedError, match=r"step 1 for students \[1\]"):
        language.fit(net, RECIPE, lambda step: net.head.bias.sum() * 0 + broken)


# ---- own text, marks and the gate


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2), min_size=8, max_size=8), st.integers(1, 4))
def test_distinct_runs_are_counted(row, n):
    pieces = torch.tensor(row).view(1, 2, 4)
    runs = [tuple(row[4 * b + i : 4 * b + i + n]) for b in range(2) for i in range(5 - n)]
    assert language.distinct(pieces, n)[0] == pytest.approx(len(set(runs)) / len(runs))


def test_runs_that_do_not_fit():
    with pytest.raises(ValueError, match="64 bits"):
        language.distinct(tokens(1, 2, 40), 10)


def test_own_text_is_read_by_the_groups_own_teacher():
    some, base, teacher, _ = school()
    own = language.own_text(base, some, teacher, PLAN, 3, 8, temperature=0.8, n=2)
    made = language.written(base, some, PLAN, 3, 8, 5, "test", 0.8)
    assert torch.equal(own.tokens, made[..., 4:])
    for k in range(4):
        reader, writer = language.take(teacher, [k // 2]), language.take(base, [k])
        unlikely, unsure = 0.0, 0.0
        for b in range(3):
            for place in range(4, 12):
                start = (place - 4) // 4 * 4  # as far back as the piece goes
                past = made[k, b, start:place].view(1, 1, -1)
                unlikely -= reader(past, 1).flatten().log_softmax(0)[made[k, b, place]].item()
                unsure += Categorical(logits=writer(past, 1).flatten() / 0.8).entropy().item()
        assert own.surprise[k] == pytest.approx(unlikely / 24, rel=1e-5)
        assert own.entropy[k] == pytest.approx(unsure / 24, rel=1e-5)
    assert own.distinct == pytest.approx(language.distinct(made[..., 4:], 2))
    with pytest.raises(ValueError, match="multiple of span"):
        language.own_text(base, some, teacher, PLAN, 3, 9)


def test_marks_belong_to_their_arm():
    some, base, teacher, _ = school()
    net = language.take(base, [0, 3, 1, 2, 2, 0, 3, 1])  # two groups, two first weights, two arms
    found = language.mark(some, net, FIXED[:2], teacher, PLAN, count=4, length=8)
    held = language.held_out(net, [g.test for g in some], 4, 4).numpy()
    chosen = language.held_out(net, [g.validation for g in some], 4, 4).numpy()
    own = language.own_text(net, some, teacher, PLAN, 4, 8)
    early = language.own_text(net, some, teacher, PLAN, 2, 8, source="validation")
    for a, name in enumerate(("plain", "logits")):
        for g in range(2):
            mine = [4 * g + a, 4 * g + 2 + a]
            m = found[name]
            assert m.held[g] == pytest.approx(held[mine].mean())
            assert m.chosen_held[g] == pytest.approx(chosen[mine].mean())
            assert m.own[g] == pytest.approx(own.surprise[mine].mean())
            assert m.chosen_own[g] == pytest.approx(early.surprise[mine].mean())
            assert m.entropy[g] == pytest.approx(own.entropy[mine].mean())
            assert m.distinct[g] == pytest.approx(own.distinct[mine].mean())


def test_a_teacher_that_is_no_better_stops_the_run():
    gap = language.gate(np.array([1.5, 1.6]), np.array([2.0, 2.5]), [7, 8])
    assert gap == pytest.approx([0.5, 0.9])
    with pytest.raises(ValueError, match=r"split 8 \(-0.100\)"):
        language.gate(np.array([1.5, 1.6]), np.array([2.0, 1.5]), [7, 8])
    with pytest.raises(ValueError, match="split 7"):
        language.gate(np.array([2.0, math.nan]), np.array([2.0, 1.5]), [7, 8])


def test_the_dial_is_read_between_its_points_split_by_split():
    distinct = np.array([[0.6, 0.9], [0.4, 0.5], [0.2, 0.1]])
    surprise = np.array([[3.0, 9.0], [2.0, 5.0], [1.0, 1.0]])
    at = language.at_equal_diversity(distinct, surprise, np.array([0.5, 0.3]))
    assert at == pytest.approx([2.5, 3.0])
    ends = language.at_equal_diversity(distinct, surprise, np.array([0.7, 0.0]))
    assert ends == pytest.approx([3.0, 1.0])


# ---- cost


def test_contenders_do_their_work_and_leave_the_models_alone():
    some, base, teacher, _ = school(1)
    student, master = language.take(base, [0]), language.take(teacher, [0])
    before = weights(student, slice(None)).clone(), weights(master, slice(None)).clone()
    calls = language.training_steps(some[0], student, master, RECIPE, PLAN)
    assert list(calls) == ["text", "logits", "reverse", "writing"]
    calls["request"] = language.generation(student, some[0].test[:8].view(2, 4), 3)
    reads = 0

    def count(*_: object) -> None:
        nonlocal reads
        reads += 1

    master.register_forward_hook(count)
    asked = {}
    for name, call in calls.items():
        reads = 0
        for _ in range(RECIPE.steps + 1):  # beyond the last step it begins again
            call()
        asked[name] = reads / (RECIPE.steps + 1)
    assert asked == {"text": 0, "logits": 1, "reverse": 1, "writing": 0, "request": 0}
    assert torch.equal(weights(student, slice(None)), before[0])
    assert torch.equal(weights(master, slice(None)), before[1])
    times = cost.race(calls, rounds=1, min_seconds=1e-4)
    assert set(times) == set(calls)
