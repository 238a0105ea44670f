"""A GAN: generator G, discriminator D, encoder E, their optimisers, and the twins."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.optim.swa_utils import get_ema_multi_avg_fn

from lookalike.base import checkpoint
from lookalike.base.errors import ModelError, UsageError
from lookalike.base.ranks import ALONE, Ranks
from lookalike.base.seeds import seed_of
from lookalike.game.batch import Batch, Judgement
from lookalike.game.device import sent
from lookalike.game.discriminator import Discriminator
from lookalike.game.method import Method
from lookalike.game.nets import Shape
from lookalike.game.nets.sync_norm import share_norms
from lookalike.game.optimiser import Adam
from lookalike.game.source import Source
from lookalike.game.tree import MOST, Tree

M = TypeVar("M", bound=nn.Module)
TREE, LEAVES = "tree", "leaves"  # names of two tensors beside the weights


class GAN:
    """The networks and optimisers that a `Method` describes.

    Parameters
    ----------
    method : Method
        What to build.
    shape : tuple of int
        (C, H, W) of images or (F,) of vectors.
    seed : int
        Seed of the initial weights.
    device : torch.device or str
        Device of the networks.
    classes : int
        Number of known classes. It has no effect where neither G nor D depends on the class.
    ema : float
        Largest decay per step of the averaged generator, which makes the images after training. 0: there is none.
    ahead : bool or None
        The host runs ahead of the device: a fused Adam leaves out updates that are not finite, and figures are read
        later. None: on CUDA.

    Raises
    ------
    UsageError
        If the method's network or its augmentation cannot work on this shape.
    """

    def __init__(
        self,
        method: Method,
        shape: Shape,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
        classes: int = 1,
        ema: float = 0.0,
        ahead: bool | None = None,
    ) -> None:
        self.method, self.shape, self.ema_decay = method, shape, ema
        self.tree = Tree(classes)
        self.leaves: Tensor | None = None  # (N,) of the training images, once classes were split
        self.device = torch.device(device)
        self.ahead = self.device.type == "cuda" if ahead is None else ahead
        if method.diff_augment:
            method.diff_augment.check(shape)
        # layers draw first weights from torch's global generator; the fork restores the caller's state.
        # The order G, D, E is part of the bits of every training
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of(seed, "weights"))
            self.G = self._placed(method.conditioning.build(method.net, shape, method.latent.z_dim, classes))
            z_dim, given = method.latent.z_dim, classes if self.conditional else 0
            discriminator = Discriminator(method.net, method.head, shape, classes, z_dim, spectral=method.spectral)
            # train: building the trunk left it in eval mode
            self.D = self._placed(discriminator).train()
            encoder = method.encoder.build(method.net, shape, z_dim, given) if method.encoder else None
        self.E = None if encoder is None else self._placed(encoder)
        # no gradient: only `update_average` changes it
        self.average: nn.Module | None = copy.deepcopy(self.G).requires_grad_(False) if ema else None
        makers = [net for net in (self.G if "G" in method.makers else None, self.E) if net is not None]
        # one optimiser: G and E share a loss and a step
        self.opt_g = _adam(makers, method.optimiser, fused=self.ahead)
        self.opt_d = _adam([self.D], method.d_optimiser or method.optimiser, fused=self.ahead)
        # a twin's seed depends on its name, so that its first weights differ from those of the main GAN
        self.twins = {
            twin.name: GAN(
                twin.method(method), shape, seed=seed_of(seed, twin.name), device=device, classes=classes, ahead=ahead
            )
            for twin in method.twins
        }

    def _placed(self, net: M) -> M:
        # channels last: the layout that CPU convolutions take without a copy; a third faster
        return net.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    @property
    def conditional(self) -> bool:
        """Whether G and E are conditional on the class."""
        return self.method.conditioning.conditional

    @property
    def classes(self) -> int:
        """Number of classes of G and D; of a class that was split, its sub-classes count."""
        return self.tree.leaves

    def begin(self) -> None:
        """Copies G's weights from the twin `Method.start`, if there is one; called before the game's first step."""
        if self.method.start is not None:
            for net in (self.G, self.average):  # the average must not remember the random weights
                if net is not None:
                    net.load_state_dict(self.twins[self.method.start].G.state_dict())

    def end(self) -> None:
        """Copies (averaged) G and D to the twins that train after; called after the last step of the game."""
        for twin in self.method.twins:
            if twin.after:
                self.twins[twin.name].G.load_state_dict((self.average or self.G).state_dict())
                self.twins[twin.name].D.load_state_dict(self.D.state_dict())

    @property
    def learning(self) -> frozenset[str]:
        """Names of the networks that the updates of this GAN change, of G, D and E."""
        return frozenset((*self.method.makers, *(("D",) if self.method.d_steps else ())))

    def grow(self, leaf: int) -> None:
        """Splits the class `leaf` in two. D and G answer for both halves as they did for the whole."""
        self.D.head.grow(self.D.layers, leaf, self.opt_d)
        self.method.conditioning.grow(self.G, self.tree, leaf, self.opt_g)
        if self.average is not None:
            self.method.conditioning.grow(self.average, self.tree, leaf, None)  # it has no optimiser
            self.average.requires_grad_(False)
        self.tree = self.tree.split(leaf)

    def set_rate(self, share: float) -> None:
        """Sets the step sizes to this share of the method's, from 0 to 1; those of twins that train beside too."""
        for optimiser in (self.opt_g, self.opt_d):
            for group in optimiser.param_groups:
                group["lr"] = share * group["initial_lr"]
        for twin in self.method.twins:
            if twin.beside:
                self.twins[twin.name].set_rate(share)

    def update_average(self, index: int) -> None:
        """Moves the averaged generator towards G after step `index`. Without one it does nothing.

        Early decays are smaller, (1 + index) / (10 + index). So the average of a short run forgets its first weights.
        """
        if self.average is None:
            return
        pairs = list(zip(self.average.state_dict().values(), self.G.state_dict().values(), strict=True))
        numbers = [pair for pair in pairs if pair[0].is_floating_point()]
        # decay * average + (1 - decay) * G, batch norm's running statistics too
        get_ema_multi_avg_fn(min(self.ema_decay, (1 + index) / (10 + index)))(
            [kept for kept, _ in numbers], [new for _, new in numbers], None
        )
        for kept, new in pairs:
            if not kept.is_floating_point():
                kept.copy_(new)  # a count of batches: it has no mean

    def frozen(self, label: int | Tensor | None = None) -> tuple[nn.Module, Discriminator]:
        """Copies of (averaged) G and D in eval mode, without gradients for weights.

        A conditional G becomes a G of one class, the number `label`, or of a mixture of classes with shares (K,).
        """
        mix = one_hot(torch.tensor(label), self.classes).float() if isinstance(label, int) else label
        mix = None if mix is None else mix.to(self.device)
        with torch.random.fork_rng(devices=[]):  # a layer that is replaced at once draws first weights too
            players = self.method.conditioning.only(self.average or self.G, mix), copy.deepcopy(self.D)
        for player in players:
            # eval: batch norm uses running statistics, so an image does not depend on the others of its block
            player.eval().requires_grad_(False)
        # G alone, because a stage of D may be f(x) and must stay as it is
        return _fused(players[0]), players[1]

    def conditional_generator(self) -> nn.Module:
        """A copy of (averaged) G, of z and classes, in eval mode and without gradients for weights."""
        return copy.deepcopy(self.average or self.G).eval().requires_grad_(False)

    def latents(self, source: Source, n: int) -> tuple[Tensor, Tensor | None]:
        """z (n, z_dim) float32 from the prior, and classes (n,) int64 where G is conditional, else None."""
        random = source.generator()
        # z before the classes, from one generator: another order would change the bits
        z = sent(source.ranks.own(n, lambda n: self.method.latent.draw(n, random)), source.device)
        if not self.conditional:
            return z, None
        return z, sent(source.ranks.own(n, lambda n: self.method.labels.draw(n, source, random)), source.device)

    def make(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Images (N, *shape) for z (N, z_dim) and classes y (N,), None if G is unconditional. Gradients reach G."""
        return _made(self.G, z, y)

    @torch.no_grad()
    def generate(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Images ``(N, *shape)`` float32 for z (N, z_dim) and classes y (N,), by (averaged) G in eval mode."""
        y = None if y is None else y.to(self.device)
        with _evaluating(self.average or self.G) as generator:
            return _made(generator, z.to(self.device), y)

    @torch.no_grad()
    def features(self, batch: Batch) -> Tensor:
        """(N, F) float32 features of D's trunk, in eval mode."""
        with _evaluating(self.D) as discriminator:
            says: Judgement = discriminator(batch)
        return says.features

    def infer(self, x: Tensor, y: Tensor | None, random: torch.Generator | None, ranks: Ranks = ALONE) -> Tensor:
        """z (N, z_dim) of images (N, *shape) and classes (N,) or None, drawn from E's posterior. Gradients reach E.

        Without `random` it is the posterior's mean. Of several processes each draws for the images of all.

        Raises
        ------
        UsageError
            If there is no encoder.
        """
        mean, log_variance = self._encoder()(x, y)
        if random is None:
            return mean  # type: ignore[no-any-return]
        noise = ranks.own(len(mean), lambda n: torch.randn(n, mean.shape[1], generator=random))
        noise = sent(noise, mean.device).to(mean)
        # reparametrisation: the draw is a function of E's outputs, so that gradients reach them
        return mean + (log_variance / 2).exp() * noise  # type: ignore[no-any-return]

    @torch.no_grad()
    def encode(
        self, x: Tensor, y: Tensor | None = None, random: torch.Generator | None = None, ranks: Ranks = ALONE
    ) -> Tensor:
        """z (N, z_dim) as `infer`, in eval mode and without gradients."""
        y = None if y is None else y.to(self.device)
        with _evaluating(self._encoder()):
            return self.infer(x.to(self.device), y, random, ranks)

    def _encoder(self) -> nn.Module:
        found = self.E or next(iter(self._handed_over().values()), None)
        if found is None:
            raise UsageError(f"{self.method.name} has no encoder, which finds an image's z; train ali or f-anogan")
        return found

    def _handed_over(self) -> dict[str, nn.Module]:
        """The encoder of a twin that trains after, as "E". It is stored with the model, the rest of the twin is not."""
        after = [self.twins[twin.name].E for twin in self.method.twins if twin.after]
        found = next((encoder for encoder in after if encoder is not None), None)
        return {} if found is None else {"E": found}

    def nets(self) -> dict[str, nn.Module]:
        """The networks by name: G, D, and where there are any, the averaged G and E."""
        nets = {"G": self.G, "D": self.D, "average": self.average, "E": self.E}
        return {name: net for name, net in nets.items() if net is not None}

    def share_norms(self, ranks: Ranks) -> None:
        """Makes the batch norms of all networks and twins take the images of all processes."""
        for net in self.nets().values():
            share_norms(net, ranks)
        for twin in self.twins.values():
            twin.share_norms(ranks)

    def buffers(self) -> list[Tensor]:
        """The buffers of numbers of all networks and twins: what batch norm and spectral norm keep of earlier steps."""
        own = [buffer for net in self.nets().values() for buffer in net.buffers() if buffer.is_floating_point()]
        return own + [buffer for twin in self.twins.values() for buffer in twin.buffers()]

    def _optimisers(self) -> dict[str, torch.optim.Adam]:
        """The optimiser of each network that this GAN updates, by the network's name."""
        own = {"G": self.opt_g, "D": self.opt_d} | ({"E": self.opt_g} if self.E else {})
        return {name: optimiser for name, optimiser in own.items() if name in self.learning}

    def state(self, *, training: bool) -> dict[str, Tensor]:
        """`tensors` as contiguous copies on the CPU, as files store them."""
        return {key: value.cpu().contiguous() for key, value in self.tensors(training=training).items()}

    def tensors(self, *, training: bool) -> dict[str, Tensor]:
        """The tensors by name: weights, and for `training` also the Adam states and the twins."""
        # in a checkpoint the encoder is part of its twin; in a model it stands for itself
        nets = self.nets() | ({} if training else self._handed_over())
        named = {f"{name}.{key}": value for name, net in nets.items() for key, value in net.state_dict().items()}
        if self.method.splitting:
            named[TREE] = torch.tensor(self.tree.splits, dtype=torch.int64)
        if training:
            if self.leaves is not None:
                named[LEAVES] = self.leaves
            for name, optimiser in self._optimisers().items():
                named |= {f"adam.{name}.{key}": value for key, value in _moments(nets[name], optimiser).items()}
            for name, twin in self.twins.items():
                named |= {f"{name}/{key}": value for key, value in twin.tensors(training=True).items()}
        return {key: value.detach() for key, value in named.items()}

    def load(self, tensors: Mapping[str, Tensor], *, training: bool) -> None:
        """Loads what `state` returned. Raises ModelError, with the tensor's name, where anything does not fit."""
        self.expect(tensors, training=training)
        self.take(tensors, training=training)

    def expect(self, tensors: Mapping[str, Tensor], *, training: bool) -> None:
        """Splits classes as in `tensors`, then checks names, shapes and values; raises ModelError where they differ."""
        what = f"{self.method.name} {'x'.join(map(str, self.shape))}"
        if self.method.splitting and TREE in tensors:
            self._grow_to(tensors, what)
        checkpoint.match(tensors, self.tensors(training=training), what)

    def take(self, tensors: Mapping[str, Tensor], *, training: bool) -> None:
        """`load` without its check."""
        if self.method.splitting:
            self._grow_to(tensors, self.method.name)
        nets = self.nets() | ({} if training else self._handed_over())
        for name, net in nets.items():
            net.load_state_dict({key: tensors[f"{name}.{key}"] for key in net.state_dict()})
        if training:
            for name, optimiser in self._optimisers().items():
                for key, value in _moments(nets[name], optimiser).items():
                    value.copy_(tensors[f"adam.{name}.{key}"])
            if self.leaves is not None:
                self.leaves = tensors[LEAVES].clone()
            for name, twin in self.twins.items():
                twin.take(
                    {k.removeprefix(f"{name}/"): v for k, v in tensors.items() if k.startswith(f"{name}/")},
                    training=True,
                )

    def _grow_to(self, tensors: Mapping[str, Tensor], what: str) -> None:
        """Splits classes until the tree is that of `tensors`, and makes room for the leaves of the training images."""
        splits = tensors[TREE].tolist()
        done = len(self.tree.splits)  # `expect` may have done them, before `take`
        able = len(splits) + self.tree.roots <= MOST and tensors[TREE].ndim == 1
        # a file is untrusted: its size is bounded before any layer grows
        if not able or tuple(splits[:done]) != self.tree.splits:
            raise ModelError(f"{what}: its tree of classes cannot be built; use another copy or train again")
        for leaf in splits[done:]:
            if not 0 <= leaf < self.tree.leaves:
                raise ModelError(f"{what}: its tree splits class {leaf} of {self.tree.leaves}; use another copy")
            self.grow(leaf)
        if LEAVES in tensors:
            self.leaves = torch.zeros(tensors[LEAVES].shape, dtype=torch.int64)


@contextmanager
def _evaluating(net: M) -> Iterator[M]:
    """`net` in eval mode within the block; afterwards in the mode that it had."""
    was_training = net.training
    try:
        yield net.eval()
    finally:
        net.train(was_training)


def _made(generator: nn.Module, z: Tensor, y: Tensor | None) -> Tensor:
    images: Tensor = generator(z) if y is None else generator(z, y)
    return images


def _adam(nets: Sequence[nn.Module], settings: Adam, *, fused: bool) -> torch.optim.Adam:
    weights = [weight for net in nets for weight in net.parameters()]
    adam = torch.optim.Adam(weights, lr=settings.lr, betas=(settings.beta1, settings.beta2), fused=fused or None)
    adam.param_groups[0]["initial_lr"] = settings.lr  # the key of torch's schedulers; `set_rate` reads it
    return adam


def _fused(net: nn.Module) -> nn.Module:
    """`net` with each batch norm folded into the layer before it: the same function in eval mode, and faster."""
    if not isinstance(net, nn.Sequential):
        return net
    layers: list[nn.Module] = []
    for layer in net:
        before = layers[-1] if layers else None
        if isinstance(layer, nn.BatchNorm1d) and isinstance(before, nn.Linear):
            layers[-1] = fuse_linear_bn_eval(before, layer)
        elif isinstance(layer, nn.BatchNorm2d) and isinstance(before, nn.Conv2d | nn.ConvTranspose2d):
            layers[-1] = fuse_conv_bn_eval(before, layer, transpose=isinstance(before, nn.ConvTranspose2d))
        else:
            layers.append(layer)
    return nn.Sequential(*layers).eval().requires_grad_(False)  # fusing makes new parameters, which require gradients


def _moments(net: nn.Module, optimiser: torch.optim.Adam) -> dict[str, Tensor]:
    """Adam's tensors by parameter name. For parameters that had no update yet it makes zeros, as Adam would."""
    named: dict[str, Tensor] = {}
    # by name, not by position as in Adam's own state: a file then fits or is refused by name
    for name, parameter in net.named_parameters():
        state = optimiser.state[parameter]
        if not state:
            fused = optimiser.defaults["fused"]
            state["step"] = torch.zeros((), device=parameter.device if fused else "cpu")  # where Adam has it
            state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
            state["exp_avg_sq"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        named |= {f"{name}.{key}": value for key, value in state.items()}
    return named
