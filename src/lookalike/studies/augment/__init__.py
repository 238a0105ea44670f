"""Does it help a classifier? The classifier, what is done to its images, and a fair comparison (gan-augmentation-2020).

classifier: three convolutions, early stopping. probe: logistic regression on features of a frozen network.
transforms: what a batch goes through. figures: what is measured. trial: one way with one seed on one split.
bench: all ways on the user's data, and the verdict. power: how small a gain the seeds can show.
"""
