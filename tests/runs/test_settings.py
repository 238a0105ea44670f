"""Settings: defaults, forms, ranges, contradictions, and the one line that refuses them (rows G2 and G12)."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from clean_failure import assert_clean_failure
from tiny import train

from lookalike.base import names
from lookalike.base.errors import UsageError
from lookalike.game.diffaugment import DiffAugment
from lookalike.game.heads import Binary, Joint
from lookalike.game.latents import LabelsAsInData, Normal, Uniform, UniformLabels
from lookalike.game.losses import AuxiliaryClass, Minimax, Wasserstein
from lookalike.game.method import Twin
from lookalike.game.nets.conditioning import ClassBatchNorm, Embedded, OneHot, Unconditional
from lookalike.game.optimiser import Adam
from lookalike.game.penalty import GradientPenalty, ZeroCentred
from lookalike.game.score import SCORES
from lookalike.game.splitting import Splitting
from lookalike.game.streams import Generated, Real
from lookalike.methods import METHODS, NETS
from lookalike.methods.vtgan import Noised, Weakened
from lookalike.runs import choices, own_flags
from lookalike.runs.presets import PRESETS
from lookalike.runs.settings import DataSettings, TrainSettings, flag, train_settings


def test_the_names_of_flags_are_those_of_the_parts():
    """Networks, losses, conditionings and scores that a flag accepts are those that there are, and no others."""
    assert sorted(names.NETS) == sorted(NETS)
    assert sorted(names.LOSSES) == sorted(choices.LOSSES)
    assert sorted(names.CONDITIONINGS) == sorted([*choices.CONDITIONINGS, "none"])
    assert sorted(names.SCORES) == sorted(SCORES)


def test_defaults_are_the_papers_where_they_speak():
    """lambda 0.2 and sums as in both papers; 5 % false alarms; the paper preset has DCGAN's Adam and no averaging."""
    s = train_settings(known=("3",))
    assert (s.method, s.preset, s.lam, s.reduce) == ("auto", "small", 0.2, "sum")
    weak_z = choices.filled(train_settings(known=("3",), method="vtgan"), (1, 32, 32), 1).weak_z
    assert (weak_z, s.false_alarms, s.seed) == (400, 0.05, 0)
    plain = choices.method_of(choices.filled(train_settings(known=("3",), method="anogan"), (1, 32, 32), 1))
    assert (plain.optimiser.beta1, plain.d_optimiser.beta1, plain.d_steps, plain.latent) == (0.5, 0.5, 1, Normal(100))
    assert (s.size, s.width, s.images, s.batch, s.search_steps, s.net, s.lr, s.d_lr, s.ema) == (None,) * 9
    assert [PRESETS["paper"][name] for name in ("lr", "d_lr_share", "ema")] == [2e-4, 1, 0]
    assert set(PRESETS) == {"small", "paper"}
    assert (PRESETS["small"]["side"], PRESETS["paper"]["side"]) == (32, 64)


@pytest.mark.parametrize("size", ["16,24", (16, 24), [16, 24]])
def test_size_takes_text_and_pairs(size):
    """All forms of H,W are one: the text, and two whole numbers."""
    s = train_settings(known=("3",), size=size)
    assert (s.size, s.sides) == ("16,24", (16, 24))


@pytest.mark.parametrize(
    ("given", "pair"), [("0,4095", (0, 4095)), ((-1.5, 2), (-1.5, 2)), ([0, 1], (0, 1)), (None, None)]
)
def test_value_range_takes_text_and_pairs(given, pair):
    """LOW,HIGH may be negative and fractional."""
    assert DataSettings(value_range=given).low_high == pair


BAD = [
    ("size", "16"), ("size", "16x16"), ("size", "0,16"), ("size", "-8,8"), ("size", "16,16,16"), ("size", "99999,8"),
    ("size", ""), ("size", "8.5,8"),
    ("value_range", "1,0"), ("value_range", "1,1"), ("value_range", "nan,1"), ("value_range", "5"),
    ("value_range", "a,b"), ("value_range", "0,inf"), ("value_range", "-inf,1"),
    ("max_bad", "-0.1"), ("max_bad", "1.1"), ("expect", "trouble"), ("backbone", "lite9"), ("aspect", "stretch"),
    ("on_bad", "ignore"), ("method", "wgan"), ("preset", "large"), ("net", "unet"), ("latent", "cauchy"),
    ("score", "izi"),
    ("loss", "lsgan"), ("conditioning", "film"), ("labels", "rare"), ("class_loss", "fake"),
    ("class_weight", "0"), ("class_weight", "1001"),
    ("d_updates", "never"), ("start", "vtgan"), ("decay", "perhaps"), ("spectral", "perhaps"),
    ("penalty", "-1"), ("penalty", "nan"),
    ("split_at", "0"), ("split_above", "0"), ("split_above", "1"), ("split_normalised", "batch"),
    ("reduce", "max"), ("precision", "float16"), ("device", "gpu"), ("device", "cpu:0"),
    ("minutes", "0"), ("minutes", "-1"), ("minutes", "inf"), ("minutes", "long"),
    ("seed", "-1"), ("seed", str(2**63)), ("seed", "1.5"),
    ("width", "0"), ("width", "4097"), ("z", "0"), ("z", "65537"), ("weak_z", "0"),
    ("weak_depth", "0"), ("weak_stride", "0"), ("weak_g_pool", "0"), ("weak_pool", "0"),
    ("batch", "1"), ("batch", "65537"),
    ("images", "0"), ("d_steps", "0"), ("d_steps", "101"), ("threads", "0"), ("threads", "1025"),
    ("lr", "0"), ("lr", "-1"), ("lr", "nan"), ("lr", "inf"), ("lr", "fast"),
    ("d_lr", "0"), ("d_lr", "inf"), ("beta1", "1"), ("beta1", "-0.1"),
    ("ema", "1"), ("ema", "-0.1"), ("noise", "-0.1"), ("noise", "inf"), ("salt_pepper", "1.1"),
    ("extra_fakes_share", "0"),
    ("extra_fakes_share", "65"), ("test", "1"), ("test", "-0.1"), ("calibration", "-0.1"), ("calibration", "1"),
    ("false_alarms", "0"), ("false_alarms", "1"),
    ("lam", "-0.1"), ("lam", "1.1"), ("lam", "nan"), ("prior", "perhaps"),
    ("search_steps", "0"), ("search_lr", "0"), ("search_lr", "11"),
    ("restarts", "0"), ("restarts", "1001"), ("tolerance", "1"), ("tolerance", "-1"), ("patience", "0"),
    ("search_batch", "0"), ("search_batch", "4097"),
    ("log_every", "0"), ("sample_every", "0"), ("save_every", "0"), ("scaling", "none"), ("decides", "worst"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), BAD, ids=[f"{name}={value}" for name, value in BAD])
def test_G2_a_value_out_of_range_is_refused_by_name(name, value, tmp_path, capsys):
    """On the command line: exit 2 and one line with the flag, and nothing is begun. In Python: the same line."""
    flag = "--" + name.replace("_", "-")
    line = assert_clean_failure(capsys, train(tmp_path / "run", f"{flag}={value}"), 2, flag, value, kept=tmp_path)
    assert "\n" not in line and len(line) < 600
    with pytest.raises(UsageError) as caught:
        train_settings(**{"known": ("3",), name: value})
    assert flag in str(caught.value) and value in str(caught.value) and "\n" not in str(caught.value)


def test_every_numeric_setting_has_a_refused_value():
    """The list above misses no setting but the names of classes and of D's layer, and switches."""
    free = {
        "known",
        "pooled",
        "extra_fakes",
        "unlabelled",
        "layer",
        "group",
        "grey",
        "allow_empty_class",
        "spread",
        "diff_augment",
        "sync_bn",
        "encoder",
    }
    assert {name for name, _ in BAD} == set(TrainSettings.model_fields) - free


def test_a_gan_of_all_classes_has_a_preset_of_its_own():
    """acgan takes larger steps of 32 images, and D sees the spread; preset paper does not; after ALI twice as many."""
    small, paper, off = (
        choices.filled(train_settings(known=("3", "8"), method="acgan", **given), (1, 32, 32), 2)
        for given in ({}, {"preset": "paper"}, {"spread": False})
    )
    assert (small.lr, small.d_lr, small.batch, small.spread, small.images) == (1e-3, 5e-4, 32, True, 30_000)
    twice = [
        choices.filled(train_settings(known=("3", "8"), method=name), (1, 32, 32), 2).images
        for name in ("ali", "acgan-ali-v1", "acgan-ali-v2")
    ]
    assert twice == [30_000, 60_000, 60_000]
    assert (paper.batch, paper.spread, off.spread) == (64, False, False)
    assert [choices.method_of(s).head.spread for s in (small, paper, off)] == [True, False, False]


BY_CLASS = {
    "conditioning": "batch-norm",
    "labels": "data",
    "class_loss": "real",
    "class_weight": 0.5,
    "start": "scratch",
}


def test_settings_reach_their_axes():
    """G's conditioning and its classes, D's class loss, its updates and DiffAugment stand on the method's axes."""
    given = {"conditioning": "batch-norm", "labels": "data", "class_loss": "real", "d_updates": "apart"}
    plain, changed = (
        choices.method_of(
            choices.filled(train_settings(known=("3", "8"), method="acgan-ali-v2", **more), (1, 32, 32), 2)
        )
        for more in ({}, given | {"diff_augment": True})
    )
    assert (plain.conditioning, plain.labels, plain.losses[1]) == (Embedded(), UniformLabels(), AuxiliaryClass())
    assert (plain.d_updates, plain.diff_augment) == ("together", None)
    assert (changed.conditioning, changed.labels) == (ClassBatchNorm(), LabelsAsInData())
    assert changed.losses[1] == AuxiliaryClass(on_fake=False)
    assert (changed.d_updates, changed.diff_augment) == ("apart", DiffAugment())
    twin = changed.twins[0].method(changed)
    assert (plain.start, changed.start) == ("ali", "ali")
    assert (twin.conditioning, twin.labels, twin.diff_augment) == (ClassBatchNorm(), LabelsAsInData(), DiffAugment())


OWN_VALUES = {  # method -> values on its axes that differ from what other methods have
    "anogan": {"latent": Uniform(50), "d_updates": "apart", "diff_augment": DiffAugment()},
    "wgan-gp": {"penalty": GradientPenalty(3.0), "decay": False, "d_steps": 2},
    "acgan": {"labels": LabelsAsInData()},
    "noisegan": {"d_sees": ((Real(), 1.0), (Generated(), 1.0), (Noised(0.1, 0.2), 1.0))},
    "vtgan": {"twins": (Twin("weak", Weakened(200)),)},
    "splitting": {"splitting": Splitting((7,), 0.3, "feature")},
}


@pytest.mark.parametrize("name", OWN_VALUES)
def test_a_method_keeps_its_own_values(name, monkeypatch):
    """What a paper's file says of an axis holds where the user gives no flag for it."""
    changed = METHODS[name].but(**OWN_VALUES[name])
    monkeypatch.setitem(METHODS, name, changed)
    known = ("3", "8") if changed.per_class else ("3",)
    made = choices.method_of(choices.filled(train_settings(known=known, method=name), (1, 32, 32), len(known)))
    for axis, value in OWN_VALUES[name].items():
        if axis == "splitting":  # the preset says when and above which share
            assert made.splitting.normalised == value.normalised
        else:
            assert getattr(made, axis) == value
    given = train_settings(known=known, method=name, latent="normal", d_updates="together", diff_augment=False)
    back = choices.method_of(choices.filled(given, (1, 32, 32), len(known)))
    assert (back.latent, back.d_updates, back.diff_augment) == (Normal(changed.latent.z_dim), "together", None)


@pytest.mark.parametrize("name", METHODS)
def test_a_preset_changes_a_method_in_few_places(name):
    """Width, step sizes, the class weight, the spread and z in norms are the preset's; else the method's file holds."""
    known = ("3", "8") if METHODS[name].per_class else ("3",)
    made = choices.method_of(choices.filled(train_settings(known=known, method=name), (1, 32, 32), len(known)))
    presets = ("net", "optimiser", "d_optimiser", "losses", "head", "splitting", "conditioning")
    assert made.but(**{axis: getattr(METHODS[name], axis) for axis in presets}) == METHODS[name]


def test_a_wasserstein_loss_brings_its_penalty():
    """To a D whose slope nothing limits; its weight can be chosen, 0 leaves it out, and a spectral norm needs none."""

    def penalty(method="mcgan", **more):
        given = train_settings(known=("3",), method=method, extra_fakes=("8",) if method == "mcgan" else (), **more)
        return own_flags.chosen_method(given, choices.filled(given, (1, 32, 32), 1)).penalty

    assert penalty(loss="wasserstein") == GradientPenalty(10.0)
    assert penalty(loss="wasserstein", penalty=3.0) == GradientPenalty(3.0)
    assert penalty("wgan-gp", penalty=0.0) is None and penalty("wgan-gp", penalty=2.0) == GradientPenalty(2.0)
    assert penalty("sn-binary", loss="wasserstein") is None and penalty(loss="hinge") is None
    with pytest.raises(UsageError, match="mcgan does not use --penalty"):
        penalty(penalty=5.0)


def test_what_holds_d_can_be_had_with_any_game():
    """A spectral norm joins a method that has none, a penalty leaves one that has; splits and decay can be had too."""
    given = {"spectral": True, "decay": True}
    vtgan, r3gan, critic, k_plus_one = (
        choices.method_of(choices.filled(train_settings(known=("3", "8"), method=name, **more), (1, 32, 32), 2))
        for name, more in (
            ("vtgan", given),
            ("r3gan", {"penalty": 5.0}),
            ("wgan-gp", {"penalty": 0.0, "decay": False}),
            ("k-plus-one", {"split_at": (500, 900), "split_above": 0.1}),
        )
    )
    assert (vtgan.penalty, vtgan.spectral, vtgan.decay) == (None, True, True)
    assert r3gan.penalty == ZeroCentred(5.0)
    assert (critic.penalty, critic.decay, critic.d_steps) == (None, False, 5)
    assert k_plus_one.splitting == Splitting((500, 900), 0.1) and "split_at" in own_flags.own_settings(k_plus_one)
    with pytest.raises(UsageError, match="where neither G nor D depends on them"):
        choices.method_of(choices.filled(train_settings(known=("3",), method="anogan", split_at=(9,)), (1, 32, 32), 1))


def test_g_begins_with_its_own_weights_when_asked():
    """acgan-ali's G begins with ALI's weights, or from scratch, as the authors tried both."""
    s = [train_settings(known=("3", "8"), method="acgan-ali-v1", start=start) for start in ("ali", "scratch")]
    assert [choices.method_of(choices.filled(one, (1, 32, 32), 2)).start for one in s] == ["ali", None]


def test_a_method_of_residual_networks_keeps_its_own_game_and_steps():
    """Games, decays, critic steps and z are the method's unless given, in preset paper step sizes too."""
    s = choices.filled(train_settings(known=("3", "8"), method="wgan-gp-classes"), (1, 32, 32), 2)
    method = choices.method_of(s)
    assert (s.net, s.width, s.batch, s.lr, s.d_lr) == ("resnet", 16, 32, 1e-3, 1e-3)
    named = METHODS["wgan-gp-classes"]
    losses = (Wasserstein(), AuxiliaryClass(on_fake=False, g_weight=1.0))  # a tenth does not teach so small a G
    changed = {"net": named.net, "optimiser": named.optimiser, "d_optimiser": None, "conditioning": named.conditioning}
    assert method.but(**changed) == named.but(losses=losses)
    assert method.conditioning == ClassBatchNorm(with_z=True)  # else so narrow a G makes one image per class
    assert method.optimiser == Adam(1e-3, 0.0, 0.9) == method.d_optimiser
    s = choices.filled(train_settings(known=("3", "8"), method="mode", lr=2e-4, preset="paper"), (1, 32, 32), 2)
    assert (s.width, s.d_lr, choices.method_of(s).losses) == (128, 8e-4, METHODS["mode"].losses)


def test_critics_of_preset_paper_have_the_authors_batches():
    """G's are twice the critic's, whose real images lie between grey levels; in preset small neither is so."""

    def batches(method, preset):
        s = train_settings(known=("3", "8"), method=method, preset=preset)
        made = choices.method_of(choices.filled(s, (1, 32, 32), 2))
        return made.g_batch, made.d_sees[0][0]

    assert batches("splitting", "paper") == batches("wgan-gp", "paper") == (2, Real(dequantised=True))
    assert batches("splitting", "small") == batches("sn-binary", "paper") == (1, Real())


def test_step_sizes_fall_in_preset_paper_unless_a_flag_says_otherwise():
    """Those of SN-GAN's networks fall to 0 there; in preset small they stay, and --no-decay and --decay win."""

    def falls(**more):
        s = train_settings(known=("3", "8"), method="sn-projection", **more)
        return choices.method_of(choices.filled(s, (1, 32, 32), 2)).decay

    assert [falls(), falls(preset="paper"), falls(preset="paper", decay=False), falls(decay=True)] == [
        False, True, False, True,
    ]  # fmt: skip


def test_norms_see_z_in_preset_small_alone():
    """Preset paper and a user who names batch-norm have the paper's norms; other ways of giving the class stay."""

    def conditioning(method, **more):
        s = train_settings(known=("3", "8"), method=method, **more)
        return choices.method_of(choices.filled(s, (1, 32, 32), 2)).conditioning

    assert conditioning("sn-projection") == conditioning("splitting") == ClassBatchNorm(with_z=True)
    assert conditioning("sn-projection", preset="paper") == ClassBatchNorm()
    assert conditioning("sn-projection", conditioning="batch-norm") == ClassBatchNorm()
    assert conditioning("acgan", conditioning="batch-norm-z") == ClassBatchNorm(with_z=True)
    assert (conditioning("acgan"), conditioning("sn-acgan")) == (Embedded(), OneHot())
    own = [
        choices.filled(train_settings(known=("3", "8"), method="mode", preset=preset), (1, 32, 32), 2)
        for preset in ("paper", "small")
    ]
    assert [(one.lr, one.d_lr) for one in own] == [(1e-4, 4e-4), (4e-4, 1e-3)]
    for name, more, weight in (
        ("sn-acgan", {}, 1),
        ("sn-acgan", {"preset": "paper"}, 0.1),
        ("sn-acgan", {"class_weight": 0.3}, 0.3),
        ("k-plus-one", {}, 0),
    ):
        s = choices.filled(train_settings(known=("3", "8"), method=name, **more), (1, 32, 32), 2)
        assert choices.method_of(s).losses[1].g_weight == weight
    given = {"loss": "minimax", "beta1": 0.5, "d_steps": 2, "z": 7, "conditioning": "embedding", "class_loss": "both"}
    changed = choices.method_of(
        choices.filled(train_settings(known=("3", "8"), method="sn-acgan", **given), (1, 32, 32), 2)
    )
    assert changed.losses == (Minimax(), AuxiliaryClass(g_weight=1)) and changed.optimiser.beta2 == 0.999
    assert (changed.optimiser.beta1, changed.d_steps, changed.latent) == (0.5, 2, Normal(7))
    assert changed.conditioning == Embedded()
    assert choices.filled(train_settings(known=("3",), method="wgan-gp"), (5,), 1).net == "mlp"


@pytest.mark.parametrize(
    ("known", "pooled", "above"), [(2, False, 0.04), (10, False, 0.04), (40, False, 0.01), (40, True, 0.04)]
)
def test_a_class_of_many_is_split_where_one_of_ten_would_be(known, pooled, above):
    """The share above which classes are split is .04, of more than ten two fifths of an equal share, unless given."""
    names = tuple(f"c{i}" for i in range(known))
    for method, more in (("splitting", {}), ("k-plus-one", {} if pooled else {"split_at": (50,)})):
        s = choices.filled(train_settings(known=names, method=method, pooled=pooled, **more), (1, 32, 32), known)
        assert s.split_above == (pytest.approx(above) if method == "splitting" or more else None)
        given = choices.filled(s.model_copy(update={"split_above": 0.3}), (1, 32, 32), known)
        assert given.split_above == 0.3
    assert choices.method_of(s).splitting is None or choices.method_of(s).splitting.above == pytest.approx(above)


def test_ali_without_classes():
    """An ALI without classes is one GAN per class with the preset of anogan; D judges pairs (x, z) alone."""
    s = choices.filled(train_settings(known=("3", "8"), method="ali", conditioning="none"), (1, 32, 32), 2)
    method = choices.method_of(s)
    assert (method.conditioning, method.head, method.per_class) == (Unconditional(), Joint(Binary()), False)
    assert (s.batch, s.images, s.spread) == (16, 30_000, None)
    given = train_settings(known=("3",), method="ali", conditioning="none", labels="data")
    with pytest.raises(UsageError, match="ali does not use --labels; leave it out"):
        own_flags.refuse_idle(given, method)


@pytest.mark.parametrize("method", ["cgan", "acgan", "acgan-v3", "acgan-ali-v2"])
def test_a_gan_that_learns_classes_together_must_be_conditional(method):
    """One line with the flag, the method, and who can do without."""
    line = rf"^--conditioning none: {method} learns its classes together, so that its G needs the class .*, or ali$"
    with pytest.raises(UsageError, match=line):
        choices.method_of(train_settings(known=("3", "8"), method=method, conditioning="none"))


@pytest.mark.parametrize(
    ("method", "idle"),
    [
        ("vtgan", set(BY_CLASS)),
        ("k-plus-one", set(BY_CLASS)),
        ("cgan", {"class_loss", "class_weight", "start"}),
        ("acgan-ali-v1", set()),
    ],
)
def test_settings_that_a_method_does_not_use_are_refused(method, idle):
    """Only a GAN of all classes uses the flags of conditioning; only one that classifies uses the class loss."""
    s = train_settings(known=("3", "8"), method=method, **BY_CLASS)
    made = choices.method_of(choices.filled(s, (1, 32, 32), 2))
    assert own_flags.unused(s, made, 2, joins=True) == ()
    if not idle:
        own_flags.refuse_idle(s, made)
        return
    with pytest.raises(UsageError) as error:
        own_flags.refuse_idle(s, made)
    assert f"{method} does not use {', '.join(map(flag, sorted(idle)))}; leave it out" in str(error.value)


@pytest.mark.parametrize(
    ("method", "known", "unused"),
    [
        ("knn", ("3", "8"), ()),
        ("vtgan", ("3", "8"), ()),
        ("cnn", ("3", "8"), ("cnn does not use --decides", "cnn does not use --scaling")),
        (
            "knn",
            ("3",),
            ("knn does not use --decides on one known class", "knn does not use --scaling on one known class"),
        ),
    ],
)
def test_only_detectors_of_several_classes_are_joined(method, known, unused):
    """Who decides and how scores are scaled matters where each of several known classes has a detector."""
    s = train_settings(known=known, method=method, scaling="shared", decides="best")
    gan = choices.method_of(s) if method == "vtgan" else None
    assert own_flags.unused(s, gan, len(known), joins=len(known) > 1 and method != "cnn") == unused


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"known": ("3",), "extra_fakes": ("3",), "method": "mcgan"}, "class 3 is both known and an extra fake"),
    ],
)
def test_G12_settings_that_contradict_each_other(given, words):
    """One sentence says which settings do not go together and what to do."""
    with pytest.raises(UsageError) as caught:
        train_settings(**given)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_keyword_that_is_no_setting_is_named():
    """A misspelt keyword is refused, not ignored."""
    with pytest.raises(UsageError, match=r"^no setting is called knwon; did you mean known\? see --help$"):
        train_settings(known=("3",), knwon=4)


def test_hostile_text_is_escaped_in_the_refusal():
    """An escape sequence in a value does not reach the terminal."""
    with pytest.raises(UsageError) as caught:
        train_settings(known=("3",), size="\x1b[31m\n")
    assert "\\x1b[31m\\n" in str(caught.value) and "\x1b" not in str(caught.value)


def test_settings_survive_json():
    """What config.json records gives the same settings again."""
    s = train_settings(known=("3", "a,b"), size=(8, 16), value_range=(0, 4095), seed=2**63 - 1, lr=math.pi)
    assert TrainSettings.model_validate(s.model_dump(mode="json")) == s


def test_settings_import_neither_torch_nor_numpy():
    """Reading the settings stays quick."""
    use = "import sys, lookalike.runs.settings as s; s.train_settings(known=('3',))"
    code = f"{use}; print({{'torch', 'numpy'}} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_every_method_can_be_named():
    """--method accepts exactly the adversarial methods and the baselines, in their order."""
    from typing import get_args

    from lookalike.detect.baselines import BASELINES, CLASSIFIERS
    from lookalike.runs.settings import ClassGANName, MethodName

    assert get_args(MethodName) == (*METHODS, *BASELINES, *CLASSIFIERS)
    assert get_args(ClassGANName) == tuple(name for name, method in METHODS.items() if method.conditional)
