"""From what the user names to images in memory; modules in the order the bytes go.

source: what every reader gives, names, labels and a way to decode one by one.
gate: the bytes of an image file become one bounded uint8 array; no other module opens image files.
folder: class folders, loose images, one file. arrays: .npz, .npy, arrays in memory.
idx: MNIST's file format. cifar: CIFAR's. histopathology: patches in patients' folders.
named: the data sets that have names, such as digits.
sources: picks the reader; `aspect_size` is the preset size.
load: `read` takes all, `stream` one block at a time.
images: `Images`, pixels, labels, names and content keys; `scaled` to [-1, 1].
oddities: what the user should know of images that can be used.
split: training, calibration and test parts by seed and content.
check: decodes everything once and says what is there, before any training.
"""

from lookalike.data.check import Check, check
from lookalike.data.images import Images, scaled
from lookalike.data.load import read, stream
from lookalike.data.source import Skipped
from lookalike.data.sources import aspect_size
from lookalike.data.split import Split, split

__all__ = ["Check", "Images", "Skipped", "Split", "aspect_size", "check", "read", "scaled", "split", "stream"]
