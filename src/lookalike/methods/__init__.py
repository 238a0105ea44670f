"""One file per paper. `METHODS` maps names to methods; `PARTS` the names that a model file may use for their parts."""

from __future__ import annotations

from lookalike.game.diffaugment import DiffAugment
from lookalike.game.heads import Auxiliary, Binary, Joint, LabelAware
from lookalike.game.heads_by_class import KPlusOne, Projection
from lookalike.game.latents import LabelsAsInData, Normal, Uniform, UniformLabels
from lookalike.game.losses import AuxiliaryClass, Hinge, Minimax, Mode, Wasserstein
from lookalike.game.method import Adam, EveryThird, Method, Twin
from lookalike.game.nets.anogan import Anogan
from lookalike.game.nets.conditioning import ClassBatchNorm, Embedded, OneHot, Unconditional
from lookalike.game.nets.dcgan import Dcgan
from lookalike.game.nets.encoder import Encoder
from lookalike.game.nets.mlp import Mlp
from lookalike.game.nets.resnet import Resnet
from lookalike.game.penalty import GradientPenalty
from lookalike.game.splitting import Splitting
from lookalike.game.streams import Generated, Real, Unlabelled
from lookalike.methods.acgan import acgan, acgan_v1, acgan_v2, acgan_v3, cgan
from lookalike.methods.ali import Encoded, FromPosterior, Inferring, acgan_ali_v1, acgan_ali_v2, ali
from lookalike.methods.kplus1 import (
    k_plus_one,
    k_plus_one_projection,
    mode,
    mode_projection,
    sn_acgan,
    sn_binary,
    sn_projection,
)
from lookalike.methods.mcgan import OtherClasses, anogan, mcgan
from lookalike.methods.splitting import splitting, wgan_gp, wgan_gp_classes
from lookalike.methods.vtgan import FromTwin, Noised, Weakened, noisegan, vtgan

DETECTION = (anogan, noisegan, mcgan, vtgan)
AUGMENTATION = (cgan, acgan, acgan_v1, acgan_v2, acgan_v3, ali, acgan_ali_v1, acgan_ali_v2)
QUALITY = (
    *(wgan_gp, wgan_gp_classes, splitting),
    *(sn_binary, sn_acgan, k_plus_one, mode, sn_projection, k_plus_one_projection, mode_projection),
)
METHODS: dict[str, Method] = {m.name: m for m in (*DETECTION, *AUGMENTATION, *QUALITY)}

NETS: dict[str, type] = {"anogan": Anogan, "dcgan": Dcgan, "resnet": Resnet, "mlp": Mlp}

PARTS: dict[str, type] = {
    part.__name__: part
    for part in (
        *(Real, Unlabelled, Generated, OtherClasses, Noised, FromTwin, Encoded, FromPosterior),
        *(KPlusOne, Projection, OneHot, Wasserstein, Mode, GradientPenalty, Splitting),
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
