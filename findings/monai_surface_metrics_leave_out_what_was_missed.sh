#!/usr/bin/env bash
# MONAI 1.6.1, torch 2.13.0 (CPU), scipy 1.17.1: the mean of HausdorffDistanceMetric leaves out the cases in which a
# structure was missed altogether or invented, and the mean of DiceMetric those in which it was invented.
#
# Expected: a lesion that is not found at all has an infinite distance (or a stated penalty), and one
#   that is invented a Dice of 0, so both make the mean worse.
# Seen: both distances are nan, and aggregate() averages what is not nan: one perfect case beside one
#   missed lesion gives 0.0 mm, as if all were perfect. The same for Dice by its default
#   ignore_empty=True: one perfect case beside one invented lesion gives 1.0. Dice of a missed lesion is
#   0 and counts. A network that draws nothing where it is unsure so gets a better distance.
# What helps: read get_buffer(), count the nan of each kind and state them beside the mean.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 monai==1.6.1 scipy==1.17.1
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from monai.metrics import DiceMetric, HausdorffDistanceMetric

nothing, lesion = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
lesion[0, 0, 2:5, 2:5] = 1
cases = {"missed": (nothing, lesion), "invented": (lesion, nothing)}
for name, (drawn, truth) in cases.items():
    predicted, reference = torch.cat([lesion, drawn]), torch.cat([lesion, truth])
    distance, dice = HausdorffDistanceMetric(percentile=95), DiceMetric()
    distance(predicted, reference)
    dice(predicted, reference)
    print(f"{name:<9} distances {distance.get_buffer().flatten().tolist()} mean {distance.aggregate().item()}",
          f"Dice {dice.get_buffer().flatten().tolist()} mean {dice.aggregate().item()}")
    assert torch.isnan(distance.get_buffer()[1]).all()
    assert distance.aggregate().item() == 0.0
    assert dice.aggregate().item() == {"missed": 0.5, "invented": 1.0}[name]
print("as described")
PYTHON
