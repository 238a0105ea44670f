"""The greedy coreset against a search by brute force."""

from __future__ import annotations

import torch

from lookalike.detect.coreset import coreset


def brute(rows, size):
    """Each next row has the largest distance to the nearest chosen one; the first is farthest from the mean."""
    chosen = [int((rows - rows.mean(0)).norm(dim=1).argmax())]
    while len(chosen) < size:
        chosen.append(int(torch.cdist(rows, rows[chosen]).min(1).values.argmax()))
    return chosen


def test_each_next_row_is_the_farthest():
    """In few dimensions nothing is projected, and the choice is that of brute force."""
    rows = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
    assert coreset(rows, 20, torch.Generator()).tolist() == brute(rows, 20)


def test_a_projection_still_finds_what_is_rare():
    """Of 400 long rows near one point and one row near each of 20 others, all 20 are among the first 30 chosen."""
    draw = torch.Generator().manual_seed(0)
    rows = torch.cat([torch.zeros(400, 200), 10 * torch.randn(20, 200, generator=draw)])
    rows += 0.1 * torch.randn(rows.shape, generator=draw)
    chosen = coreset(rows, 30, draw)
    assert set(range(400, 420)) <= set(chosen.tolist())


def test_all_rows_where_no_fewer_are_wanted():
    """Nothing is left out."""
    assert coreset(torch.zeros(3, 2), 5, torch.Generator()).tolist() == [0, 1, 2]


def test_equal_rows_are_taken_once_each():
    """Where all rows are equal the numbers still differ."""
    assert sorted(coreset(torch.ones(6, 2), 4, torch.Generator()).tolist()) != [0, 0, 0, 0]
    assert len(set(coreset(torch.ones(6, 2), 4, torch.Generator()).tolist())) == 4
