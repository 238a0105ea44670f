"""The BibTeX of the papers, by short name, for `lookalike cite`."""

from __future__ import annotations

BIBTEX: dict[str, str] = {
    "anogan-2017": """@inproceedings{schlegl2017anogan,
  title     = {Unsupervised Anomaly Detection with Generative Adversarial Networks to Guide Marker Discovery},
  author    = {Schlegl, Thomas and Seeb{\\"o}ck, Philipp and Waldstein, Sebastian M. and Schmidt-Erfurth, Ursula and Langs, Georg},
  booktitle = {International Conference on Information Processing in Medical Imaging},
  pages     = {146--157},
  publisher = {Springer},
  year      = {2017}
}""",
    "f-anogan-2019": """@article{schlegl2019fanogan,
  title   = {f-{AnoGAN}: Fast Unsupervised Anomaly Detection with Generative Adversarial Networks},
  author  = {Schlegl, Thomas and Seeb{\\"o}ck, Philipp and Waldstein, Sebastian M. and Langs, Georg and Schmidt-Erfurth, Ursula},
  journal = {Medical Image Analysis},
  volume  = {54},
  pages   = {30--44},
  year    = {2019}
}""",
    "r3gan-2024": """@inproceedings{huang2024r3gan,
  title     = {The {GAN} is dead; long live the {GAN}! {A} Modern {GAN} Baseline},
  author    = {Huang, Yiwen and Gokaslan, Aaron and Kuleshov, Volodymyr and Tompkin, James},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {37},
  year      = {2024}
}""",
    "mcgan-2021": """@article{motamed2021mcgan,
  title   = {Multi-class Generative Adversarial Networks for Semi-supervised Image Classification},
  author  = {Motamed, Saman and Khalvati, Farzad},
  journal = {arXiv preprint arXiv:2102.06944},
  year    = {2021}
}""",
    "vtgan-2021": """@misc{motamed2021vtgan,
  title  = {Vanishing Twin {GAN}: How Training a Weak Generative Adversarial Network Can Improve Semi-supervised Image Classification},
  author = {Motamed, Saman and Khalvati, Farzad},
  year   = {2021}
}""",
    "ali-2017": """@inproceedings{dumoulin2017ali,
  title     = {Adversarially Learned Inference},
  author    = {Dumoulin, Vincent and Belghazi, Ishmael and Poole, Ben and Mastropietro, Olivier and Lamb, Alex and Arjovsky, Martin and
               Courville, Aaron},
  booktitle = {International Conference on Learning Representations},
  year      = {2017}
}""",
    "gan-augmentation-2020": """@misc{guruswamy2020augmentation,
  title  = {On Data Augmentation Using {GAN}s},
  author = {Guruswamy, Divya and Sukthanker, Rhea and Gronquist, Peter},
  year   = {2020}
}""",
    "splitting-gan-2017": """@article{grinblat2017splitting,
  title   = {Class-Splitting Generative Adversarial Networks},
  author  = {Grinblat, Guillermo L. and Uzal, Lucas C. and Granitto, Pablo M.},
  journal = {arXiv preprint arXiv:1709.07359},
  year    = {2017}
}""",
    "kplus1-2020": """@misc{kavalerov2020kplus1,
  title  = {A study of quality and diversity in {K+1} {GAN}s},
  author = {Kavalerov, Ilya and Czaja, Wojciech and Chellappa, Rama},
  year   = {2020}
}""",
    "scikit-learn-2011": """@article{pedregosa2011scikit,
  title   = {Scikit-learn: Machine Learning in {P}ython},
  author  = {Pedregosa, F. and Varoquaux, G. and Gramfort, A. and Michel, V. and Thirion, B. and Grisel, O. and Blondel, M. and
             Prettenhofer, P. and Weiss, R. and Dubourg, V. and Vanderplas, J. and Passos, A. and Cournapeau, D. and Brucher, M. and
             Perrot, M. and Duchesnay, E.},
  journal = {Journal of Machine Learning Research},
  volume  = {12},
  pages   = {2825--2830},
  year    = {2011}
}""",
    "autoencoder-2006": """@article{hinton2006reducing,
  title   = {Reducing the Dimensionality of Data with Neural Networks},
  author  = {Hinton, Geoffrey E. and Salakhutdinov, Ruslan R.},
  journal = {Science},
  volume  = {313},
  pages   = {504--507},
  year    = {2006}
}""",
    "deepsvdd-2018": """@inproceedings{ruff2018deep,
  title     = {Deep One-Class Classification},
  author    = {Ruff, Lukas and Vandermeulen, Robert and Goernitz, Nico and Deecke, Lucas and Siddiqui, Shoaib Ahmed and Binder, Alexander and
               M{\\"u}ller, Emmanuel and Kloft, Marius},
  booktitle = {International Conference on Machine Learning},
  pages     = {4393--4402},
  year      = {2018}
}""",
    "rotation-2018": """@inproceedings{golan2018deep,
  title     = {Deep Anomaly Detection Using Geometric Transformations},
  author    = {Golan, Izhak and El-Yaniv, Ran},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {31},
  year      = {2018}
}""",
    "softmax-2017": """@inproceedings{hendrycks2017baseline,
  title     = {A Baseline for Detecting Misclassified and Out-of-Distribution Examples in Neural Networks},
  author    = {Hendrycks, Dan and Gimpel, Kevin},
  booktitle = {International Conference on Learning Representations},
  year      = {2017}
}""",
    "energy-2020": """@inproceedings{liu2020energy,
  title     = {Energy-based Out-of-distribution Detection},
  author    = {Liu, Weitang and Wang, Xiaoyun and Owens, John D. and Li, Yixuan},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {33},
  year      = {2020}
}""",
    "dn2-2020": """@article{bergman2020dn2,
  title   = {Deep Nearest Neighbor Anomaly Detection},
  author  = {Bergman, Liron and Cohen, Niv and Hoshen, Yedid},
  journal = {arXiv preprint arXiv:2002.10445},
  year    = {2020}
}""",
    "rippel-2021": """@inproceedings{rippel2021gaussian,
  title     = {Modeling the Distribution of Normal Data in Pre-Trained Deep Features for Anomaly Detection},
  author    = {Rippel, Oliver and Mertens, Patrick and Merhof, Dorit},
  booktitle = {International Conference on Pattern Recognition},
  pages     = {6726--6733},
  year      = {2021}
}""",
    "patchcore-2022": """@inproceedings{roth2022patchcore,
  title     = {Towards Total Recall in Industrial Anomaly Detection},
  author    = {Roth, Karsten and Pemula, Latha and Zepeda, Joaquin and Sch{\\"o}lkopf, Bernhard and Brox, Thomas and Gehler, Peter},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  pages     = {14318--14328},
  year      = {2022}
}""",
    "deep-knn-2022": """@inproceedings{sun2022knn,
  title     = {Out-of-Distribution Detection with Deep Nearest Neighbors},
  author    = {Sun, Yiyou and Ming, Yifei and Zhu, Xiaojin and Li, Yixuan},
  booktitle = {International Conference on Machine Learning},
  pages     = {20827--20840},
  year      = {2022}
}""",
}
