"""MTCNN with the published weights finds real faces, and none where there are none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.data import astronaut, lfw_subset

from lookalike.base.errors import UsageError
from lookalike.features import faces


def test_real_faces_are_found_and_nothing_else():
    """scikit-image's 100 faces of 25 x 25 pixels are faces with 0.8 or more; its 100 other pictures have none."""
    found = faces.faces((lfw_subset() * 255).round().astype(np.uint8)[:, None])
    assert found[:100].min() > 0.8 and np.median(found[:100]) > 0.99
    assert (found[100:] == 0).all()


def test_a_face_in_a_photograph():
    """The astronaut's face is found in colours, in grey, and alone as among others; not in what lies below it."""
    picture = astronaut().transpose(2, 0, 1)[None]
    top, bottom = picture[..., :256, 96:352], picture[..., 256:, 96:352]
    found = faces.faces(np.concatenate([top, bottom]))
    assert found[0] > 0.99 and found[1] == 0
    assert faces.faces(top)[0] == found[0]
    assert faces.faces(top.mean(1, keepdims=True).round().astype(np.uint8))[0] > 0.99


def test_frames_that_overlap_give_way_to_the_surest():
    """Of two frames that share more than half, the surer stays; in another image, or apart, both stay."""
    frames = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 9], [8, 8, 18, 18]])
    sure, owners = torch.tensor([0.8, 0.9, 0.7, 0.6]), torch.tensor([0, 0, 1, 0])
    assert faces._apart(frames, sure, owners, 0.5).tolist() == [1, 3, 2]
    assert faces._apart(frames, sure, owners, 0.95).tolist() == [1, 0, 3, 2]
    assert faces._apart(frames[:0], sure[:0], owners[:0], 0.5).tolist() == []


def test_what_is_cut_out():
    """A frame of the image's own size gives it back; half of it at twice the size; outside lies its edge."""
    x = torch.arange(16.0).reshape(1, 1, 4, 4).expand(-1, 3, -1, -1)
    one = torch.zeros(1, dtype=torch.long)
    whole = faces._cut(x, torch.tensor([[0.0, 0, 4, 4]]), one, 2)
    assert torch.allclose(whole[0, 0], torch.tensor([[2.5, 4.5], [10.5, 12.5]]))
    outside = faces._cut(x, torch.tensor([[-4.0, 0, 0, 4]]), one, 4)
    assert torch.allclose(outside[0, 0], x[0, 0, :, :1].expand(-1, 4), atol=1.5) and (outside.diff(dim=3) == 0).all()


def test_frames_of_several_images_come_in_their_order():
    """Each frame is cut out of its own image, whatever the order of the images."""
    x = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    frames = torch.tensor([[0.0, 0, 4, 4], [2, 2, 8, 8], [0, 0, 8, 8], [1, 0, 5, 4]])
    owners = torch.tensor([2, 0, 2, 1])
    found = faces._cut(x, frames, owners, 4)
    alone = [
        faces._cut(x[[o]], frames[[i]], torch.zeros(1, dtype=torch.long), 4) for i, o in enumerate(owners.tolist())
    ]
    assert torch.equal(found, torch.cat(alone))


def test_missing_weights(monkeypatch):
    """Without the package: how to install it, and that its code is not used."""
    faces.detector.cache_clear()
    monkeypatch.setattr(faces, "PACKAGE", "no_such_package")
    with pytest.raises(UsageError, match=r"pip install --no-deps facenet-pytorch==2\.6\.0"):
        faces.detector()
