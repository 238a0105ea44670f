"""How a run trains and scores: its settings with every value filled in, and the method that they make."""

from __future__ import annotations

from dataclasses import dataclass

from lookalike.detect.baselines import BASELINES
from lookalike.detect.baselines.auto import AutoBaseline
from lookalike.detect.baselines.baseline import Baseline
from lookalike.detect.baselines.features import FeatureBaseline, expecting
from lookalike.detect.search import Search
from lookalike.features.backbones import named
from lookalike.game.method import Method
from lookalike.runs.choices import FULL, preset_of
from lookalike.runs.settings import TrainSettings


@dataclass(frozen=True)
class Recipe:
    """What trains, and how.

    Parameters
    ----------
    settings : TrainSettings
        As given, with the preset's values filled in.
    method : Method or None
        None: a baseline.
    """

    settings: TrainSettings
    method: Method | None

    @property
    def batch(self) -> int:
        """Real images per step, as given or the preset's."""
        return self.settings.batch or preset_of(self.settings)["batch"]

    def shown(self, known: int) -> int:
        """Real images shown to a GAN. More than `FULL` classes share them, so that the cost grows no further."""
        if self.method is not None and self.method.per_class:
            return self.settings.images or 0
        return max(1, (self.settings.images or 0) * FULL // max(FULL, known))

    @property
    def baseline(self) -> Baseline:
        """The baseline that the settings name, for what they expect and on their backbone.

        Raises
        ------
        KeyError
            For another method.
        UsageError, ModelError
            For a backbone that cannot be used; see `named`.
        """
        s = self.settings
        baseline = AutoBaseline(expecting(s.expect)) if s.expect else BASELINES[s.method]
        return baseline.on(named(s.backbone)) if isinstance(baseline, AutoBaseline | FeatureBaseline) else baseline

    @property
    def needs_others(self) -> bool:
        """Whether D's images include those of other classes."""
        return self.method is not None and self.method.needs_others

    def search(self) -> Search:
        """The latent search of the scores."""
        s = self.settings
        return Search(
            lam=s.lam,
            reduce=s.reduce,
            layer=s.layer,
            steps=s.search_steps or preset_of(s)["search_steps"],
            lr=s.search_lr or preset_of(s)["search_lr"],
            prior=s.prior,
            restarts=s.restarts,
            tolerance=s.tolerance,
            patience=s.patience,
            batch=s.search_batch,
            seed=s.seed,
        )
