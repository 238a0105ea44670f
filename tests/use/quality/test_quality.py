"""Figures of quality and diversity against closed forms, and against the same written out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import pdist

from lookalike.base.errors import DataError
from lookalike.use.quality import diversity, figures, frechet, kernel, manifold


def cloud(n, mean=0.0, scale=1.0, d=4, seed=0):
    """(n, d) normal features."""
    return np.random.default_rng(seed).normal(mean, scale, (n, d))


def test_frechet_is_the_formula_with_scipys_root():
    """|m1 - m2|^2 + tr(A + B - 2 sqrt(AB)), with the square root of the matrix by scipy."""
    one = cloud(50) @ np.random.default_rng(3).normal(size=(4, 4))
    other = cloud(70, 0.3, seed=1) @ np.random.default_rng(4).normal(size=(4, 4))
    a, b = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    gap = one.mean(0) - other.mean(0)
    wanted = gap @ gap + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert frechet.distance(one, other) == pytest.approx(wanted, rel=1e-9)


def test_frechet_of_shifted_and_scaled_features():
    """Features against the same moved by v: |v|^2 exactly; of N(0, 1) and N(0, s): D (s - 1)^2 in the limit."""
    one = cloud(200)
    assert frechet.distance(one, one + np.array([3.0, 0, 4.0, 0])) == pytest.approx(25, rel=1e-9)
    assert frechet.distance(one, one) == pytest.approx(0, abs=1e-9)
    assert frechet.distance(one, 3 * (one - one.mean(0)) + one.mean(0)) == pytest.approx(
        np.trace(np.cov(one, rowvar=False)) * 4, rel=1e-9
    )
    assert frechet.distance(cloud(40_000), cloud(40_000, scale=2, seed=1)) == pytest.approx(4, rel=0.02)


def test_frechet_of_halved_features():
    """Features against their half: a quarter of the mean's square and of the variances' sum."""
    one = cloud(300, 2.0) @ np.random.default_rng(5).normal(size=(4, 4))
    wanted = (one.mean(0) @ one.mean(0) + np.trace(np.cov(one, rowvar=False))) / 4
    assert frechet.distance(one, one / 2) == pytest.approx(wanted, rel=1e-9)


def test_frechet_of_a_set_against_its_own_other_half():
    """0 where the halves are the same in another order; of halves of N(0, I) their bias, 2 D/n + D (D + 1) / 2 n."""
    one = cloud(300)
    twice = np.concatenate([one, one[::-1]])
    assert frechet.distance(twice[:300], twice[300:]) == pytest.approx(0, abs=1e-9)
    n, d = 4000, 16
    found = [frechet.distance(each[:n], each[n:]) for each in (cloud(2 * n, d=d, seed=seed) for seed in range(40))]
    assert np.mean(found) == pytest.approx(2 * d / n + d * (d + 1) / (2 * n), rel=0.05)


def test_frechet_of_endlessly_many_images_is_less_biased():
    """Over ten pairs of samples its mean is much nearer to the truth than the plain distance's."""
    for truth, shift in ((0.0, 0.0), (20 * 0.25, 0.5)):
        found = [
            frechet.unbounded(cloud(400, d=20, seed=2 * i), cloud(400, shift, d=20, seed=2 * i + 1)) for i in range(10)
        ]
        plain = frechet.distance(cloud(400, d=20), cloud(400, shift, d=20, seed=1))
        assert found[0].at_all == pytest.approx(plain, rel=1e-9)
        value, at_all = (np.mean([getattr(one, name) for one in found]) for name in ("value", "at_all"))
        assert abs(value - truth) < (at_all - truth) / 3
        assert all(one.slope > 0 for one in found)


def test_the_jackknife_of_frechet_finds_its_scatter():
    """Mean error of the distance over 20 pairs of samples is its standard deviation over them, to a third."""
    pairs = [(cloud(300, seed=i), cloud(300, 1.0, seed=100 + i)) for i in range(20)]
    errors, scatter = [frechet.error(*pair) for pair in pairs], np.std([frechet.distance(*pair) for pair in pairs])
    assert np.mean(errors) == pytest.approx(scatter, rel=0.33)
    with pytest.raises(DataError, match="4 images are too few"):
        frechet.error(cloud(5), cloud(50))


def test_frechet_of_too_few_images_is_refused():
    """As many images as features: one line with the number needed and what else there is."""
    with pytest.raises(DataError, match="4 images are too few for a Frechet distance of 4 features: 5 are needed"):
        frechet.distance(cloud(4), cloud(50))
    with pytest.raises(DataError, match=r"17 images are too few .* without bias of 10 features: 22 are needed"):
        frechet.unbounded(cloud(17, d=10), cloud(50, d=10))


def test_kernel_distance_is_the_sum_over_pairs():
    """Unbiased MMD^2 by a loop over all pairs, none with itself; larger sides than a block change nothing."""
    one, other = cloud(23), cloud(31, 0.5, seed=1)

    def k(x, y):
        return (x @ y / 4 + 1) ** 3

    same = [
        np.mean([k(x, y) for i, x in enumerate(side) for j, y in enumerate(side) if i != j]) for side in (one, other)
    ]
    wanted = sum(same) - 2 * np.mean([k(x, y) for x in one for y in other])
    assert kernel.discrepancy(one, other) == pytest.approx(wanted, rel=1e-9)
    many = cloud(2500)
    assert len(many) ** 2 > kernel.CELLS
    by_matrix = (many @ many.T / 4 + 1) ** 3
    wanted = (by_matrix.sum() - np.trace(by_matrix)) / (2500 * 2499)
    assert kernel.discrepancy(many, many + 0) == pytest.approx(2 * wanted - 2 * by_matrix.mean(), rel=1e-6)


def test_kernel_distance_is_unbiased():
    """Over many small samples of one distribution its mean is 0 within its error, whatever their size."""
    for n in (20, 80):
        found = [kernel.discrepancy(cloud(n, seed=i), cloud(n, seed=1000 + i)) for i in range(200)]
        assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(200)
    far = kernel.distance(cloud(200), cloud(200, 1.0, seed=1))
    assert far.value > 5 * far.error > 0


def test_manifold_by_hand():
    """On a line with k 1: balls of radius 1 about 0, 1, 2, of 9 about 11, and of 19.5 about the made 0.5 and 20."""
    real, made = np.array([[0.0], [1.0], [2.0], [11.0]]), np.array([[0.5], [20.0]])
    found = manifold.compare(real, made, k=1)
    assert found.precision == 0.5  # 20 lies on the border of 11's ball, not in it
    assert found.density == 2 / 2  # 0.5 lies in the balls of 0 and 1
    assert found.coverage == 2 / 4
    assert found.recall == 1.0


def test_errors_of_manifolds_are_those_of_their_means():
    """sd / sqrt(n) over made images (precision, density) and real ones (recall, coverage), by hand as above."""
    real, made = np.array([[0.0], [1.0], [2.0], [11.0]]), np.array([[0.5], [20.0]])
    error = manifold.overlap(real, made, k=1).error
    assert error == pytest.approx((0.5 / 2**0.5, 0, 1 / 2**0.5, 0.5 / 4**0.5))


def test_manifolds_of_one_distribution_overlap_and_of_distant_ones_do_not():
    """Two samples of one cloud: precision and recall high, density about 1; a narrow one is precise only."""
    real = cloud(1500, d=6)
    same = manifold.compare(real, cloud(1500, d=6, seed=1))
    assert min(same.precision, same.recall, same.coverage) > 0.85 and same.density == pytest.approx(1, abs=0.1)
    narrow = manifold.compare(real, cloud(1500, scale=0.4, d=6, seed=1))
    assert narrow.precision > 0.99 and narrow.recall < 0.5 and narrow.density > 1.3
    assert manifold.compare(real, cloud(600, 100.0, d=6, seed=1)) == (0, 0, 0, 0)


def test_blocks_change_no_manifold(monkeypatch):
    """A row at a time, or all at once: the same shares."""
    real, made = cloud(60), cloud(70, 0.5, seed=1)
    at_once = manifold.overlap(real, made)
    monkeypatch.setattr(manifold, "CELLS", 1)
    assert manifold.overlap(real, made) == at_once


def test_inception_score_at_its_ends():
    """K where each image is surely of one of K equally frequent classes, 1 where all look the same."""
    sure = np.eye(5)[np.arange(1000) % 5]
    assert diversity.inception_score(sure, 1).mean == pytest.approx(5)
    assert diversity.inception_score(np.full((100, 5), 0.2)).mean == pytest.approx(1)
    assert diversity.inception_score(np.sort(sure.argmax(1))[:, None] == np.arange(5)).mean > 4.8  # in classes' order
    p = np.random.default_rng(0).dirichlet([1, 2, 3], 90)
    wanted = np.exp((p * np.log(p / p.mean(0))).sum(1).mean())
    assert diversity.inception_score(p, 1) == (pytest.approx(wanted), None)
    parts = [
        np.exp((q * np.log(q / q.mean(0))).sum(1).mean())
        for q in np.array_split(p[np.random.default_rng(4).permutation(90)], 3)
    ]
    assert diversity.inception_score(p, 3, seed=4) == (
        pytest.approx(np.mean(parts)),
        pytest.approx(np.std(parts, ddof=1)),
    )


@pytest.mark.parametrize(("n", "parts"), [(99, 0), (100, 1), (399, 3)])
def test_inception_score_of_ones_own_classes_is_of_parts_of_one_size(n, parts):
    """50 images of each of two classes make a part; below that the number needed is said, of one no deviation."""
    named, labels = np.random.default_rng(n).dirichlet([1, 1], n), np.arange(n) % 2
    side = figures.Side(cloud(n), labels, named, named)
    found = next(one for one in figures.compared(side, side, 0) if one.name == "inception score")
    assert (found.value is None) == (parts == 0) and (found.spread is None) == (parts < 2)
    if parts == 0:
        assert found.note == "there are 99 images, 100 are needed"
        return
    drawn = named if parts == 1 else named[np.random.default_rng(0).permutation(n)[: 100 * parts]]
    assert (found.value, found.spread) == diversity.inception_score(drawn, parts)


def test_mean_distance_counts_each_pair_once():
    """Three points at 0, 3 and 4 j: distances 3, 4 and 5; of normal features 2 Gamma((D + 1) / 2) / Gamma(D / 2)."""
    found = diversity.mean_distance(np.array([[0.0, 0], [3, 0], [0, 4]]), 3)
    assert found == (4.0, None)
    assert diversity.mean_distance(cloud(100), 51).sd is None and diversity.mean_distance(cloud(100), 50).sd > 0
    from scipy.special import gammaln

    wanted = 2 * np.exp(gammaln(4.5) - gammaln(4))
    assert diversity.mean_distance(cloud(4000, d=8), 1000).mean == pytest.approx(wanted, rel=0.01)


def test_distances_by_batch_stop_at_the_images_there_are():
    """Of 100 images batches of 16, 32 and 64, each as `mean_distance` has it."""
    found = diversity.by_batch(cloud(100), seed=2)
    assert found == {size: diversity.mean_distance(cloud(100), size, seed=2) for size in (16, 32, 64)}


def test_diversity_within_a_class(monkeypatch):
    """Mean distance of all pairs, scipy's, in blocks as at once; its error is that of ten disjoint parts."""
    assert diversity.within(np.array([[0.0], [2.0], [5.0]])) == (pytest.approx(10 / 3), None)
    features = cloud(45)
    found = diversity.within(features, seed=3)
    assert found.mean == pytest.approx(pdist(features).mean(), rel=1e-12)
    parts = np.array_split(np.random.default_rng(3).permutation(45), 10)
    each = [pdist(features[rows]).mean() for rows in parts]
    assert found.error == pytest.approx(np.std(each, ddof=1) / 10**0.5)
    monkeypatch.setattr(diversity, "CELLS", 100)
    assert diversity.within(features, seed=3).mean == pytest.approx(found.mean, rel=1e-12)


def test_the_ratio_of_distances_has_the_error_of_a_ratio():
    """Of 3 +- 0.3 and 4 +- 0.2: 0.75 +- 0.75 sqrt(0.1^2 + 0.05^2); of collapsed images 0; over 0 there is none."""
    ratio = diversity.ratio(diversity.Apart(3.0, 0.3), diversity.Apart(4.0, 0.2))
    assert ratio == pytest.approx((0.75, 0.75 * np.hypot(0.1, 0.05)))
    assert diversity.ratio(diversity.Apart(0.0, 0.0), diversity.Apart(4.0, 0.2)) == (0.0, 0.0)
    assert diversity.ratio(diversity.Apart(3.0, None), diversity.Apart(4.0, 0.2)) == (0.75, None)
    assert diversity.ratio(diversity.Apart(3.0, 0.3), diversity.Apart(0.0, 0.0)) is None


def test_figures_of_a_class_by_hand():
    """Class 1 has 2 of 3 generated and 1 of 2 real images recognised, and half the real ones' distance."""
    shares = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.9, 0.1]])
    made = figures.Side(np.array([[0.0], [1.0], [2.0], [9.0]]), np.array([1, 1, 1, 0]), shares, shares)
    real = figures.Side(np.array([[0.0], [8 / 3], [5.0]]), np.array([1, 1, 0]), shares[:3], shares[:3])
    found = figures.by_class(made, real, 1, seed=0)
    assert (found["images"], found["real images"]) == (3, 2)
    assert (found["taken for it"], found["taken for it, real"]) == (2 / 3, 1 / 2)
    assert (found["within"], found["within, real"]) == pytest.approx((4 / 3, 8 / 3))
    assert found["variety"] == pytest.approx(0.5)
    assert (found["KID"], found["FID, no bias"], found["variety, spread"]) == (None, None, None)


def test_classes_are_ordered_by_the_first_figure_that_all_have():
    """By KID from high to low; where a class lacks it, by the share recognised from low to high; else as they stand."""
    one = {
        "a": {"KID": 1.0, "taken for it": 0.5, "variety": None},
        "b": {"KID": 2.0, "taken for it": 0.9, "variety": None},
    }
    assert figures.worst_first(one) == ("KID", ["b", "a"])
    one["c"] = {"KID": None, "taken for it": 0.1, "variety": None}
    assert figures.worst_first(one) == ("taken for it", ["c", "a", "b"])
    one["d"] = {"KID": None, "taken for it": None, "variety": 0.3}
    assert figures.worst_first(one) == ("", ["a", "b", "c", "d"])


def test_frechet_of_a_class_is_without_bias():
    """Of 600 and 400 images of one distribution it is 0 within three errors, where FID is 4.6; of few None."""
    random = np.random.default_rng(0)
    sides = [figures.Side(random.normal(size=(n, 64)), np.repeat([0, 1], [n - 5, 5]), None, None) for n in (605, 405)]
    found = figures.by_class(*sides, 0, 0)
    assert abs(found["FID, no bias"]) < 3 * found["FID, no bias, spread"]
    assert frechet.distance(*(side.features[side.labels == 0] for side in sides)) > 4
    assert figures.by_class(*sides, 1, 0)["FID, no bias"] is None


def test_frechet_at_equal_numbers_by_hand():
    """Ten draws of n = 30 generated images against 30 real ones, and of these against 30 others, by `distance`."""
    made, real = cloud(30, 1.0), cloud(100, seed=1)
    found = figures.at_equal_numbers(made, real, seed=7)
    random, wanted = np.random.default_rng(7), []
    for _ in range(10):
        order, drawn = random.permutation(100), random.permutation(30)
        wanted.append([frechet.distance(side, real[order[:30]]) for side in (made[drawn], real[order[30:60]])])
    wanted = np.array(wanted)
    assert found.images == 30
    for said, values in zip(found[1:], wanted.T, strict=True):
        assert said == pytest.approx((values.mean(), values.std(ddof=1), values.min(), values.max()), rel=1e-9)


def test_frechet_at_equal_numbers_is_fair():
    """Of one distribution, 400 generated against 120 real images have what 60 real ones have against 60 others.

    FID of all these images is lower, as more images have less bias. For 4 features, halves of 4 images are too few.
    """
    found = [figures.at_equal_numbers(cloud(400, d=16, seed=i), cloud(120, d=16, seed=99 + i), i) for i in range(8)]
    made, real = (np.mean([side.mean for side in sides]) for sides in list(zip(*found, strict=True))[1:])
    assert {one.images for one in found} == {60} and made == pytest.approx(real, rel=0.1)
    every = [frechet.distance(cloud(400, d=16, seed=i), cloud(120, d=16, seed=99 + i)) for i in range(8)]
    assert np.mean(every) < 0.6 * real
    assert figures.at_equal_numbers(cloud(400), cloud(9), 0) is None
    assert figures.at_equal_numbers(cloud(400), cloud(10), 0).images == 5


def test_the_error_of_the_unbiased_frechet_distance_finds_its_scatter():
    """The images' error and the line's together are its standard deviation over 20 pairs of samples, to a third."""
    pairs = [(cloud(300, d=20, seed=i), cloud(300, 0.3, d=20, seed=100 + i)) for i in range(20)]
    lines = [frechet.unbounded(*pair) for pair in pairs]
    errors = [np.hypot(frechet.error(*pair), line.fit) for pair, line in zip(pairs, lines, strict=True)]
    assert np.mean(errors) == pytest.approx(np.std([line.value for line in lines]), rel=0.33)
