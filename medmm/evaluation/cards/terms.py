"""The terms of use that the cards of the film networks state."""

from __future__ import annotations

FINDINGS_TERMS = """Research use. The films are those of ChestX-ray14 (NIH Clinical Center, free to use with credit; Wang et al., CVPR
2017); a part of them came as copies of the RSNA 2018 challenge, whose terms are non-commercial research and education
(Shih et al., 2019). The trunk starts from ImageNet weights (torchvision ResNet-18, BSD-3-Clause)."""

ANATOMY_TERMS = """Research use only. Films of JSRT (Shiraishi et al., 2000: research on request) with the SCR outlines (van Ginneken et
al., 2006: research), films of ChestX-ray14 (NIH Clinical Center; Wang et al., CVPR 2017; in part through the RSNA 2018 challenge,
non-commercial), and lung outlines of V7 Labs (CC BY 4.0) on published COVID-19 films with a licence each, some of them
non-commercial."""

KIND_TERMS = """Research use. Learned from films of ChestX-ray14 (NIH Clinical Center; Wang et al., CVPR 2017; in part through the RSNA 2018
challenge, non-commercial), Indiana University (Open-i: attribution, non-commercial), JSRT (research), pictures of VQA-RAD
(CC0), MedNIST (CC BY-SA 4.0), scikit-image (free licences), and MR slices of TCGA-LGG and ACDC (research). The trunk starts
from ImageNet weights (torchvision ResNet-18, BSD-3-Clause)."""
