"""Many trainings, measured in the same way: the benches and the tables of the papers.

trial: one training with its figures. study: how a study is run, and the one place where missing trials are done.
claims: means with their intervals. detect, augment: the two benches. tables: the papers' tables.
"""
