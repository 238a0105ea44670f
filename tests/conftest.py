"""What every test shares: one thread, so that bits repeat and two cores suffice; small images and small networks."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest
import torch
from official import in_turn

from lookalike.base import workers
from lookalike.base.seeds import generator
from lookalike.game.latents import Normal
from lookalike.game.nets.anogan import Anogan
from lookalike.game.nets.dcgan import Dcgan
from lookalike.game.nets.mlp import Mlp
from lookalike.game.nets.pyramid import Pyramid
from lookalike.game.nets.resnet import Resnet
from lookalike.game.source import Source
from lookalike.methods.vtgan import Weakened

SMALL = {
    "anogan": Anogan(width=4),
    "dcgan": Dcgan(width=4),
    "resnet": Resnet(width=4),
    "pyramid": Pyramid(width=8),
    "mlp": Mlp(width=16, layers=2),
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Torch computes on one thread; afterwards on as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="session")
def ctrl_c():
    """Ctrl-C reaches the tests and what they start, also where a shell began them in the background and ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """The user's cache folder is left alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("LOOKALIKE_CACHE", raising=False)
        yield


@pytest.fixture
def here(monkeypatch):
    """Trials are done in this process."""
    monkeypatch.setattr(workers, "_spread", in_turn)


@pytest.fixture(scope="session")
def make_source():
    """Makes a `Source` of random images (uint8) or vectors (float32), the same for the same arguments."""

    def make(shape, *, known=24, others=20, seed=3, classes=1):
        def images(n, name):
            random = generator("pixels", name)
            if len(shape) == 1:
                return torch.randn(n, *shape, generator=random)
            return torch.randint(0, 256, (n, *shape), generator=random, dtype=torch.uint8)

        labels = torch.arange(known) % classes
        return Source(images(known, "known"), labels, images(others, "others") if others else None, seed)

    return make


@pytest.fixture(scope="session")
def small():
    """Makes a method small: a narrow network, a short z, a twin with a somewhat longer one."""

    def shrink(method, net="anogan", z=8):
        weak = {t: replace(t, method=Weakened(12)) for t in method.twins if isinstance(t.method, Weakened)}
        twins = tuple(weak.get(twin, twin) for twin in method.twins)
        return method.but(net=SMALL[net], latent=Normal(z), twins=twins)

    return shrink


@pytest.fixture(scope="session")
def same():
    """Whether two mappings of tensors have the same names and the same bits."""

    def equal(first, second):
        return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)

    return equal
