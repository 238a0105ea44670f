"""One file per paper. `METHODS` maps names to methods; `PARTS` the names that a model file may use for their parts."""

from __future__ import annotations

from lookalike.heads import Binary
from lookalike.latents import Normal, Uniform
from lookalike.losses import Hinge, Minimax
from lookalike.method import Adam, Method, Twin
from lookalike.methods.mcgan import OtherClasses, anogan, mcgan
from lookalike.methods.vtgan import FromTwin, Noised, Weakened, noisegan, vtgan
from lookalike.nets.anogan import Anogan
from lookalike.nets.dcgan import Dcgan
from lookalike.nets.mlp import Mlp
from lookalike.streams import Generated, Real

METHODS: dict[str, Method] = {m.name: m for m in (anogan, noisegan, mcgan, vtgan)}

NETS: dict[str, type] = {"anogan": Anogan, "dcgan": Dcgan, "mlp": Mlp}

PARTS: dict[str, type] = {
    part.__name__: part
    for part in (
        *(Real, Generated, OtherClasses, Noised, FromTwin),
        *(Binary, Normal, Uniform, Minimax, Hinge, Adam, Twin, Weakened),
        *NETS.values(),
    )
}
