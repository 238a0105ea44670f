"""One file per paper. `METHODS` maps names to methods; `PARTS` the names that a model file may use for their parts."""

from __future__ import annotations

from lookalike.diffaugment import DiffAugment
from lookalike.heads import Auxiliary, Binary, Joint, LabelAware
from lookalike.latents import LabelsAsInData, Normal, Uniform, UniformLabels
from lookalike.losses import AuxiliaryClass, Hinge, Minimax
from lookalike.method import Adam, EveryThird, Method, Twin
from lookalike.methods.ali import Encoded, FromPosterior, Inferring, acgan_ali_v1, acgan_ali_v2, ali
from lookalike.methods.augmentation import acgan, acgan_v1, acgan_v2, acgan_v3, cgan
from lookalike.methods.mcgan import OtherClasses, anogan, mcgan
from lookalike.methods.vtgan import FromTwin, Noised, Weakened, noisegan, vtgan
from lookalike.nets.anogan import Anogan
from lookalike.nets.conditioning import ClassBatchNorm, Embedded, Unconditional
from lookalike.nets.dcgan import Dcgan
from lookalike.nets.encoder import Encoder
from lookalike.nets.mlp import Mlp
from lookalike.streams import Generated, Real

DETECTION = (anogan, noisegan, mcgan, vtgan)
AUGMENTATION = (cgan, acgan, acgan_v1, acgan_v2, acgan_v3, ali, acgan_ali_v1, acgan_ali_v2)
METHODS: dict[str, Method] = {m.name: m for m in (*DETECTION, *AUGMENTATION)}

NETS: dict[str, type] = {"anogan": Anogan, "dcgan": Dcgan, "mlp": Mlp}

PARTS: dict[str, type] = {
    part.__name__: part
    for part in (
        *(Real, Generated, OtherClasses, Noised, FromTwin, Encoded, FromPosterior),
        *(Binary, Auxiliary, LabelAware, Joint, Encoder, Normal, Uniform, UniformLabels, LabelsAsInData),
        *(
            Unconditional,
            Embedded,
            ClassBatchNorm,
            Minimax,
            Hinge,
            AuxiliaryClass,
            DiffAugment,
            Adam,
            EveryThird,
            Twin,
            Weakened,
            Inferring,
        ),
        *NETS.values(),
    )
}
