"""The latent search against eqs. 2 to 5 by hand, against torch's own Adam, and against itself in other company."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import replace

import pytest
import torch

from lookalike.base.errors import UsageError
from lookalike.base.seeds import generator
from lookalike.detect import search as invert
from lookalike.detect.search import Inverter, Search
from lookalike.game.batch import Batch
from lookalike.game.gan import GAN
from lookalike.game.nets import initialise
from lookalike.game.optimiser import Adam
from lookalike.game.train import train
from lookalike.methods import METHODS
from lookalike.runs.presets import PRESETS

SHAPE = (1, 8, 8)
KINDS = {
    "anogan-grey": ("anogan", (1, 8, 8)),
    "anogan-colour": ("anogan", (3, 8, 12)),
    "dcgan": ("dcgan", (1, 8, 8)),
    "mlp-vectors": ("mlp", (13,)),
}
SEARCH = Search(steps=25, batch=4, lr=0.3, tolerance=0.02, patience=4)
ENDLESS = replace(SEARCH, tolerance=0.0, patience=10**6)


def varied(gan):
    """`gan` with large weights, so that its images differ with z as a trained one's do."""
    torch.manual_seed(2)
    initialise(gan.G, None)
    initialise(gan.D, None)
    return gan


@pytest.fixture(scope="module")
def gans(small, make_source):
    """A GAN of each kind, some steps old, so that running statistics are not the first ones."""
    found = {}
    for kind, (net, shape) in KINDS.items():
        found[kind] = varied(GAN(small(METHODS["anogan"], net).but(optimiser=Adam(lr=5e-3)), shape))
        list(train(found[kind], make_source(shape), images=64, batch=8))
    return found


@pytest.fixture(scope="module")
def gan(gans):
    """The grey one."""
    return gans["anogan-grey"]


def images(n, shape=SHAPE, seed=1):
    """Random images in [-1, 1], as they are when they come from bytes."""
    return torch.randint(0, 256, (n, *shape), generator=generator("images", seed)).float() / 127.5 - 1


def fields(found):
    """A result's tensors by name."""
    return {name: getattr(found, name) for name in ("z", "nearest", "V", "R", "L_D", "realness", "steps", "converged")}


def rows(found, index):
    """Some rows of a result."""
    return {name: value[index] for name, value in fields(found).items()}


def start(x, z_dim=8, restart=0, seed=0):
    """Where the search of one image begins."""
    return torch.randn(
        1, z_dim, generator=generator(seed, "z", hashlib.sha256(x.numpy().tobytes()).hexdigest(), restart)
    )


def by_hand(gan, x, z, settings=SEARCH, layer="pool1"):
    """V, R and L_D of images x (N, ...) and points z, eqs. 2 to 4, in float64."""
    G, D = (copy.deepcopy(net).eval().double() for net in (gan.G, gan.D))
    over = torch.sum if settings.reduce == "sum" else torch.mean
    f = D.stages_to(layer)
    y = G(z.double())
    R = over((x.double() - y).abs().flatten(1), 1)
    L_D = over((f(x.double()) - f(y)).abs().flatten(1), 1)
    return (1 - settings.lam) * R + settings.lam * L_D, R, L_D


# --- the same result in any company ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "batch"), [*((kind, 4) for kind in KINDS), ("anogan-grey", 1)])
def test_company_does_not_matter(kind, batch, gans, same):
    """Together, alone, shuffled, among others, or in other blocks: the same bits for every image."""
    shape, inverter = KINDS[kind][1], Inverter(gans[kind], replace(SEARCH, batch=batch))
    n = 6 if batch == 1 else 37  # more than there are slots
    x, others = images(n, shape), images(7, shape, seed=2)
    together = inverter.search(x)
    assert len(set(together.steps.tolist())) > 1  # slots are refilled at different times
    for i in (0, 1, 5, n - 2, n - 1):
        assert same(rows(together, [i]), fields(inverter.search(x[i : i + 1])))
    order = torch.randperm(n, generator=generator("order"))
    assert same(rows(together, order), fields(inverter.search(x[order])))
    mixed = inverter.search(torch.cat([others[:3], x, others[3:]]))
    assert same(fields(together), rows(mixed, slice(3, 3 + n)))
    blocks = [fields(inverter.search(x[i : i + 11])) for i in range(0, n, 11)]
    assert same(fields(together), {name: torch.cat([block[name] for block in blocks]) for name in blocks[0]})


@pytest.mark.parametrize(("batch", "threads"), [(7, 1), (7, 2), (33, 2)])
def test_any_batch_and_threads(batch, threads, gan, same):
    """An odd batch on several threads, whose last rows matrix products treat apart, keeps an image's bits too."""
    torch.set_num_threads(threads)
    try:
        inverter = Inverter(gan, replace(SEARCH, batch=batch, steps=2))
        x = images(9)
        together = inverter.search(x)
        assert all(same(rows(together, [i]), fields(inverter.search(x[i : i + 1]))) for i in (0, 4, 6))
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize(("batch", "slots"), [(1, 1), (2, 32), (32, 32), (33, 64), (64, 64)])
def test_slots_are_whole_vectors(batch, slots, gan):
    """There are as many slots as asked for, rounded up to whole vectors; one alone needs no company."""
    assert Inverter(gan, replace(SEARCH, batch=batch)).slots == slots


@pytest.mark.parametrize("restarts", [1, 2])
def test_few_images_take_few_slots(restarts, gan, same, monkeypatch):
    """One image is searched in 32 slots, not in 96, with the bits that it gets among 300 and among 3."""
    inverter, sizes = Inverter(gan, replace(SEARCH, batch=96, steps=3, restarts=restarts)), set()
    x = images(300)
    whole, few = inverter.search(x), inverter.search(x[7:10])
    assert inverter.small_is_alike
    slope = Inverter.slope
    monkeypatch.setattr(Inverter, "slope", lambda self, z, *more: sizes.add(len(z)) or slope(self, z, *more))
    assert same(fields(inverter.search(x[8:9])), rows(whole, [8])) and same(rows(few, [1]), rows(whole, [8]))
    assert sizes == {32}


def test_without_the_same_bits_all_slots_are_used(gan, same, monkeypatch):
    """Where a small batch has other bits, as on some processors, one image is searched in all slots."""
    made = Inverter.made
    monkeypatch.setattr(Inverter, "made", lambda self, z, y: made(self, z, y) * (1 + len(z) / 2**20))
    inverter = Inverter(gan, replace(SEARCH, batch=96, steps=3))
    assert not inverter.small_is_alike and inverter.slots_for(1) == 96
    x = images(120)
    assert same(rows(inverter.search(x), [7, 100]), fields(inverter.search(x[[7, 100]])))


def test_restarts_do_not_need_order(gan, same):
    """With restarts, whose jobs interleave, an image's result is still its own."""
    inverter = Inverter(gan, replace(SEARCH, restarts=3))
    x = images(6)
    together = inverter.search(x)
    assert all(same(rows(together, [i]), fields(inverter.search(x[i : i + 1]))) for i in range(6))


def test_identical_images(gan, same):
    """The same image twice gets the same result twice."""
    x = images(5)
    found = Inverter(gan, SEARCH).search(torch.cat([x, x.flip(0)]))
    assert same(rows(found, slice(0, 5)), rows(found, [9, 8, 7, 6, 5]))


def test_seed(gan):
    """Another seed starts elsewhere; the same seed finds the same bits."""
    x = images(3)
    first, again, other = (Inverter(gan, replace(SEARCH, seed=s)).search(x).z for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_no_images(gan):
    """The slots of a search of no images stay idle; `Model.score` refuses to score none."""
    inverter = Inverter(gan, SEARCH)
    z, steps, _ = invert.Slots(inverter, images(0), []).run()
    assert z.shape == (0, 8)
    assert steps.shape == (0,)


def test_company_does_not_matter_in_wider_networks(same):
    """With the default slots and a wider network, too, an image alone gets the bits that it gets among 70."""
    method = METHODS["anogan"]
    inverter = Inverter(GAN(method.but(net=replace(method.net, width=16)), (1, 16, 16)), Search(steps=3))
    x = images(70, (1, 16, 16))
    together = inverter.search(x)
    for index in ([0], [63, 64], [69, 1, 35]):
        assert same(rows(together, index), fields(inverter.search(x[index])))


@pytest.mark.parametrize("threads", [1, 2])
def test_company_does_not_matter_at_the_preset(same, threads):
    """The network of preset small at 32 px, on one thread and on two: alone, in pairs and among 130 the same bits."""
    preset = PRESETS["small"]
    method = METHODS["anogan"]
    torch.set_num_threads(threads)
    inverter = Inverter(GAN(method.but(net=replace(method.net, width=preset["width"])), (1, 32, 32)), Search(steps=2))
    x = images(130, (1, 32, 32))
    together = inverter.search(x)
    for index in ([0], [129, 127], [64, 1, 128]):
        assert same(rows(together, index), fields(inverter.search(x[index])))
    torch.set_num_threads(1)


# --- the values -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lam", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_variation_by_hand(lam, reduce, gan):
    """V = (1 - lam) R + lam L_D of the z that was found, by sums or means, recomputed from G(z) and f."""
    settings = replace(SEARCH, lam=lam, reduce=reduce)
    x = images(6)
    found = Inverter(gan, settings).search(x)
    V, R, L_D = by_hand(gan, x, found.z, settings)
    for mine, hand in ((found.V, V), (found.R, R), (found.L_D, L_D)):
        assert torch.allclose(mine.double(), hand, rtol=1e-5)
    assert torch.allclose(found.nearest.double(), copy.deepcopy(gan.G).eval().double()(found.z.double()), atol=1e-5)
    if lam in (0, 1):
        assert torch.equal(found.V, found.R if lam == 0 else found.L_D)


def test_sum_and_mean_differ_by_the_counts(gan):
    """R by sums is 64 times R by means at 8 x 8; L_D is 4 * 4 * 4 times, the features behind the first pooling."""
    x = images(3)
    summed, mean = (Inverter(gan, replace(SEARCH, reduce=r)) for r in ("sum", "mean"))
    _, _, R, L_D, *_ = summed.measure(x, torch.zeros(3, 8))
    _, _, mean_R, mean_L_D, *_ = mean.measure(x, torch.zeros(3, 8))
    assert torch.allclose(R, 64 * mean_R)
    assert torch.allclose(L_D, 64 * mean_L_D)


@pytest.mark.parametrize("layer", ["conv1", "pool1", "conv2", "pool2", "features"])
def test_layers(layer, gan):
    """f(x) is the layer that was asked for."""
    x = images(3)
    settings = replace(SEARCH, layer=layer)
    _, V, _, L_D, *_ = Inverter(gan, settings).measure(x, torch.zeros(3, 8))
    hand_V, _, hand_L_D = by_hand(gan, x, torch.zeros(3, 8), settings, layer)
    assert torch.allclose(L_D.double(), hand_L_D, rtol=1e-5)
    assert torch.allclose(V.double(), hand_V, rtol=1e-5)


def test_unknown_layer(gan):
    """An unknown layer is refused with the names of those that there are."""
    with pytest.raises(
        UsageError, match="no discriminator layer 'pool7'; this network has: conv1, pool1, conv2, pool2, features"
    ):
        Inverter(gan, replace(SEARCH, layer="pool7"))


def test_realness_is_ds_own(gan):
    """The realness is D's log-odds for the image itself, not for the generated one."""
    x = images(6)
    with torch.no_grad():
        wanted = copy.deepcopy(gan.D).eval()(Batch(x, None, None, None)).realness
    assert torch.allclose(Inverter(gan, SEARCH).search(x).realness, wanted, atol=1e-6)


def test_never_worse_than_the_start(gans):
    """The best point counts: V is at most that of the start, and at least a hundredth below it on average."""
    for kind, (_, shape) in KINDS.items():
        x = images(8, shape)
        inverter = Inverter(gans[kind], SEARCH)
        found = inverter.search(x)
        starts = torch.cat([start(image) for image in x])
        before = inverter.measure(x, starts)[1]
        assert torch.all(before >= found.V)
        assert found.V.mean() < 0.99 * before.mean()


@pytest.mark.parametrize("prior", [True, False])
@pytest.mark.parametrize("lr", [0.1, 10.0])
def test_adam_is_torchs(lr, prior, gan):
    """20 steps on one image follow torch.optim.Adam, and the step with the least V is the one that is kept."""
    x = images(1)
    settings = replace(ENDLESS, steps=20, lr=lr, prior=prior)
    path = adam_path(gan, x, settings)
    best = min(range(20), key=lambda t: path[t][0])
    found = Inverter(gan, settings).search(x)
    assert found.steps.tolist() == [best]
    assert torch.allclose(found.z, path[best][1], atol=1e-5 * lr * 10)
    assert found.V.item() == pytest.approx(path[best][0], rel=1e-5)


def adam_path(gan, x, settings):
    """(V, z) before each step of torch.optim.Adam on one image, from its own start, within the prior where asked."""
    G, D = (copy.deepcopy(net).eval() for net in (gan.G, gan.D))
    f = D.stages_to("pool1")
    z = start(x[0]).requires_grad_()
    adam, path = torch.optim.Adam([z], lr=settings.lr), []
    for _ in range(settings.steps):
        y = G(z)
        V = (1 - settings.lam) * (x - y).abs().sum() + settings.lam * (f(x) - f(y)).abs().sum()
        path.append((V.item(), z.detach().clone()))
        adam.zero_grad()
        V.backward()
        adam.step()
        if settings.prior and (length := z.detach().square().sum().item() ** 0.5) > 8**0.5:
            z.data *= 8**0.5 / length
    return path


def stopped(path, tolerance, patience):
    """At which evaluation a search along `path` stops, and which one was the best until then."""
    reference, since, best = float("inf"), 0, 0
    for t, (V, _) in enumerate(path):
        best = t if path[best][0] > V or t == 0 else best
        if reference * (1 - tolerance) > V:
            reference, since = V, 0
        else:
            since += 1
        if since >= patience:
            return t, best
    return len(path) - 1, best


def test_each_image_stops_by_itself(gan, monkeypatch):
    """An image stops once its V fell by less than the tolerance over `patience` steps; the batch never waits."""
    settings = replace(SEARCH, steps=60, tolerance=0.02, patience=4, lr=0.05)
    x = images(4)
    ends, bests = zip(*(stopped(adam_path(gan, x[i : i + 1], settings), 0.02, 4) for i in range(4)), strict=True)
    assert len(set(ends)) > 1
    assert max(ends) < 59
    steps, taken = invert.Slots.step, []
    monkeypatch.setattr(invert.Slots, "step", lambda self: (taken.append(1), steps(self)))
    found = Inverter(gan, settings).search(x)
    assert found.steps.tolist() == list(bests)
    assert len(taken) == max(ends) + 1
    taken.clear()
    Inverter(gan, replace(settings, batch=1)).search(x)
    assert len(taken) == sum(ends) + 4


def test_most_steps(gan, monkeypatch):
    """Without convergence a search ends after `steps` evaluations; 70 images in 32 slots take three rounds."""
    steps, taken = invert.Slots.step, []
    monkeypatch.setattr(invert.Slots, "step", lambda self: (taken.append(1), steps(self)))
    found = Inverter(gan, replace(ENDLESS, steps=7)).search(images(70))
    assert len(taken) == 3 * 7
    assert found.steps.max() <= 6


def test_restarts_are_never_worse(gan):
    """The first start is the same with and without restarts, and the best start counts; some image gains."""
    x = images(8)
    one, three = (Inverter(gan, replace(SEARCH, restarts=r)).search(x).V for r in (1, 3))
    assert torch.all(three <= one)
    assert torch.any(three < one)


def test_starts_are_seeded_by_pixels(gan):
    """An image's start comes from the prior, seeded by seed, pixels and restart."""
    x = images(2)
    inverter = Inverter(gan, replace(ENDLESS, steps=1))
    assert torch.equal(inverter.search(x).z, torch.cat([start(x[0]), start(x[1])]))
    seed = hashlib.sha256(x[0].numpy().tobytes()).hexdigest()
    assert torch.equal(inverter.start(seed, 2), start(x[0], restart=2)[0])
    assert not torch.equal(inverter.start(seed, 2), inverter.start(seed, 1))


# --- nothing but z changes ------------------------------------------------------------------------------------------


def test_weights_are_frozen(gan, same):
    """A search leaves the GAN's weights and running statistics bit-equal; the frozen copies get no gradient."""
    before = {name: value.clone() for name, value in gan.state(training=True).items()}
    gradients = {name: value.grad for name, value in gan.D.named_parameters()}
    inverter = Inverter(gan, SEARCH)
    inverter.search(images(5))
    for net in (inverter.G, inverter.D, inverter.stages):
        assert not any(p.requires_grad for p in net.parameters())
        assert all(p.grad is None for p in net.parameters())
    assert same(before, gan.state(training=True))
    assert all(value.grad is gradients[name] for name, value in gan.D.named_parameters())
    assert all(p.requires_grad for p in gan.G.parameters())


@pytest.mark.parametrize("kind", ["anogan-grey", "dcgan"])
def test_inference_statistics(kind, gans, same):
    """The result does not depend on the mode that the GAN was left in, and its mode stays."""
    results = []
    for training in (True, False):
        gans[kind].G.train(training)
        gans[kind].D.train(training)
        results.append(fields(Inverter(gans[kind], SEARCH).search(images(5))))
        assert (gans[kind].G.training, gans[kind].D.training) == (training, training)
    assert same(*results)


def test_training_on_does_not_reach_an_inverter(small, make_source, same):
    """An inverter keeps the weights that it was made from."""
    gan = GAN(small(METHODS["anogan"]), SHAPE)
    inverter = Inverter(gan, SEARCH)
    before = fields(inverter.search(images(2)))
    list(train(gan, make_source(SHAPE), images=16, batch=8))
    assert same(before, fields(inverter.search(images(2))))


def test_averaged_generator(small, make_source):
    """Where there is an averaged generator, it makes the nearest images."""
    gan = varied(GAN(small(METHODS["anogan"]), SHAPE, ema=0.9))
    list(train(gan, make_source(SHAPE), images=32, batch=8))
    found = Inverter(gan, SEARCH).search(images(4))
    with torch.no_grad():
        assert torch.allclose(found.nearest, copy.deepcopy(gan.average).eval()(found.z), atol=1e-5)
        assert not torch.allclose(found.nearest, copy.deepcopy(gan.G).eval()(found.z), atol=1e-3)


@pytest.mark.parametrize(
    ("field", "value", "accepted"),
    [
        ("steps", 0, "a whole number from 1 to 1000000000"),
        ("steps", 5.0, "a whole number"),
        ("restarts", 1001, "a whole number from 1 to 1000"),
        ("patience", True, "a whole number from 1"),
        ("batch", 4097, "a whole number from 1 to 4096"),
        ("seed", -1, "a whole number from 0"),
        ("lam", 1.01, "a number from 0 to 1"),
        ("lam", "0.2", "a number from 0 to 1"),
        ("lr", 0.0, "a number from 1e-12 to 10"),
        ("lr", True, "a number from 1e-12 to 10"),
        ("tolerance", float("nan"), "a number from 0 to 1"),
        ("prior", 1, "True and False are"),
        ("reduce", "max", "sum and mean"),
        ("layer", 3, "the name of a layer of D, or None,"),
    ],
)
def test_settings_out_of_range(field, value, accepted):
    """A value of another type or out of range is named with what is accepted."""
    with pytest.raises(UsageError) as caught:
        Search(**{field: value})
    text = str(caught.value)
    assert text.startswith(f"search: {field} is {value}; {accepted}") and text.endswith("accepted")


def test_settings_at_the_ends_of_their_ranges():
    """The least and the most of each are accepted, and whole numbers as shares."""
    least = Search(lam=0, steps=1, lr=1e-12, restarts=1, tolerance=0, patience=1, batch=1, seed=0)
    most = Search(1, "mean", "any", 10**9, 10, False, 1000, 1, 10**9, 4096, 2**63 - 1)
    assert (least.lam, least.layer, most.lam, most.batch) == (0, None, 1, 4096)


def test_wrong_shape(gan):
    """Images of another shape are refused with both shapes."""
    with pytest.raises(UsageError, match=r"takes images of shape \(1, 8, 8\), not \(3, 8, 8\)"):
        Inverter(gan, SEARCH).search(images(2, (3, 8, 8)))


def test_memory_layout_does_not_matter(gan, same):
    """The same pixels in another memory layout give the same bits."""
    x = images(4, (1, 8, 8))
    other = x.transpose(2, 3).contiguous().transpose(2, 3)
    assert not other.is_contiguous()
    inverter = Inverter(gan, SEARCH)
    assert same(fields(inverter.search(x)), fields(inverter.search(other)))


def test_a_search_that_is_given_a_start_begins_there(gan, same):
    """With one evaluation the result is V at the given z; further starts of the image are drawn, as without one."""
    x, z = images(5), torch.randn(5, 8, generator=generator("start"))
    found = Inverter(gan, replace(ENDLESS, steps=1)).search(x, z)
    assert torch.equal(found.z, z) and found.V.double() == pytest.approx(by_hand(gan, x, z)[0].detach(), rel=1e-5)
    twice = Inverter(gan, replace(ENDLESS, steps=1, restarts=2)).search(x, z)
    drawn = torch.cat([start(one, restart=1) for one in x])
    best = by_hand(gan, x, z)[0] <= by_hand(gan, x, drawn)[0]
    assert torch.equal(twice.z, torch.where(best[:, None], z, drawn))
    inverter, more = Inverter(gan, SEARCH), torch.randn(40, 8, generator=generator("more"))
    together = inverter.search(images(40), more)
    assert same(fields(inverter.search(images(40)[3:5], more[3:5])), rows(together, slice(3, 5)))


def test_which_searches_converged_is_told(gan):
    """Those that ended before the most steps; with a patience that nobody reaches none."""
    x = images(9)
    some = Inverter(gan, replace(SEARCH, steps=12)).search(x)
    limits = [Inverter(gan, replace(SEARCH, steps=12)).search(one[None]).converged.item() for one in x]
    assert some.converged.tolist() == limits
    assert Inverter(gan, replace(SEARCH, steps=200)).search(x).converged.all()
    assert not Inverter(gan, replace(ENDLESS, steps=12)).search(x).converged.any()
