"""The presets: values of settings that the user leaves out. small suits a laptop, and paper is as published.

The values at the top are of the family "dcgan". Methods of another family take theirs under "families". Where these
have no step sizes, the method's own optimisers stay.

Preset small grows with the images. A GAN reads photographs, which have `FROM` pixels or more in both sides, at `TIMES`
the side. At `FROM` pixels and more, nets that widen are `TIMES` as wide, those of a fixed depth are a layer deeper, and
`TIMES` as many images are shown.
"""

from __future__ import annotations

from typing import Any, Literal

Preset = Literal["small", "paper"]

FROM, TIMES = 64, 2  # pixels, and by how much preset small grows there
GROWTH = f"from {FROM} pixels on, preset small makes the nets of most GANs twice as wide and shows twice as many images"
RESNET = {"width": 16, "batch": 32, "class_weight": 1.0}  # of residual networks in preset small

PRESETS: dict[str, dict[str, Any]] = {
    "small": {
        "side": 32,
        "grows": True,
        "widens": True,
        "width": 8,
        "images": 30_000,
        "batch": 16,  # with 64, G has not learnt the class after so few steps
        # a slower D and an averaged G: without them the game swings, and the AUC with it
        "lr": 4e-4,
        "d_lr_share": 0.25,
        "ema": 0.995,
        "with_z": True,  # narrow Gs make one image per class if their norms see the class alone
        # one GAN of all classes needs several images of each in a batch, and a D that keeps up
        "per_class": {"batch": 32, "lr": 1e-3, "d_lr_share": 0.5, "spread": True, "images": 15_000},
        "twice": {"images": 30_000},  # two trainings, one after the other
        "families": {
            "resnet": {**RESNET, "images": 15_000, "lr": 4e-4, "d_lr_share": 2.5, "ema": 0.999},
            # its networks have the same work at every size, so they need not be wider for large images
            "auto-gan": {
                **RESNET,
                "width": 64,
                "widens": False,
                "images": 15_000,
                "lr": 8e-4,
                "d_lr_share": 2.5,
                "ema": 0.999,
            },
            "critic": {**RESNET, "images": 6_000, "lr": 1e-3, "d_lr_share": 1.0},  # it takes each image five times
            "f-anogan": {**RESNET, "images": 24_000, "lr": 1e-3, "d_lr_share": 1.0},  # three quarters are the encoder's
            "r3gan": {"width": 16, "images": 4_000, "batch": 32, "lr": 2e-3, "d_lr_share": 1.0},  # its step is slow
        },
        "search_steps": 50,
        "search_lr": 0.02,
    },
    "paper": {
        "side": 64,
        "grows": False,
        "widens": False,
        "width": 64,
        "images": 150_000,
        "batch": 64,
        "lr": 2e-4,
        "d_lr_share": 1.0,
        "ema": 0.0,
        "with_z": False,
        "per_class": {"spread": False},
        "twice": {},
        "families": {
            "resnet": {"width": 128, "decay": True},  # as the code of SN-GAN, whose hyperparameters the paper takes
            "auto-gan": {"width": 512, "decay": True},
            # as the authors' code: G learns from 128 images, the critic from 64 between their grey levels
            "critic": {"width": 128, "g_batch": 2, "dequantised": True},
            "f-anogan": {"width": 64},
            "r3gan": {"width": 128},
        },
        "search_steps": 500,
        "search_lr": 0.002,
    },
}
