"""The way from what the user names to images in memory; the modules stand in the order of the data flow.

source: what every reader returns, which is names, labels and a function that decodes the images one by one.
dicom: DICOM files, where pydicom is installed.
gate: turns the bytes of an image file into one bounded uint8 array; no other module opens image files.
listing, labels, layout: the images below a folder, a CSV file of their labels, and how their classes lie.
folder: class folders, loose images and single files.
arrays: `.npz` and `.npy` files, and arrays in memory.
idx: the file format of MNIST.
cifar, stl10, celeba: the official files of CIFAR-10 and CIFAR-100, STL-10 and CelebA.
histopathology: patches of tissue in one folder per patient.
named: the data sets that have a name, such as digits.
sources: chooses the reader.
aspect: squashes, crops or pads images of another aspect.
load: `read` loads all images, `stream` loads one block at a time.
images: `Images` holds pixels, labels, names and content keys; `scaled` maps pixels to [-1, 1].
sizes: what is said of the sizes of many images, and the sizes at which they are read.
oddities: what the user should know about images that are odd but usable.
split: the training, calibration and test parts, which follow from the seed and the images' content.
sparsify: keeps fewer training images of some classes.
check: decodes every image once and says what is there, before any training.
"""

from lookalike.data.check import Check, check
from lookalike.data.images import Images, scaled
from lookalike.data.load import read, stream
from lookalike.data.sizes import aspect_size
from lookalike.data.source import Skipped
from lookalike.data.split import Split, split

__all__ = ["Check", "Images", "Skipped", "Split", "aspect_size", "check", "read", "scaled", "split", "stream"]
