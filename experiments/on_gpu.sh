#!/bin/sh
# A ResNet-50's step on a GPU beside PyTorch's compiled one, in under eight minutes; needs pip install '.[cuda,bench]'.
#
#     sh experiments/on_gpu.sh runs/gpu
#
# Fails unless it does 5,000 images a second, takes at most 1.10 times its floor, and PyTorch at least 1.3 times as long.
set -eu
OUT=${1:-runs/gpu}
timeout 460 python experiments/throughput.py --model resnet50 --dtype bfloat16 --batch-size 256 \
  --against-torch compiled --rounds 15 --seconds 60 --out "$OUT"
python - "$OUT/results.json" <<'PYTHON'
import json, sys

figures = json.load(open(sys.argv[1]))
goals = {
    "images_per_second": figures["images_per_second"] >= 5000,
    "step_over_floor": figures["step_over_floor"] <= 1.10,
    "over_torch_compiled": figures["over_torch_compiled"] <= 1 / 1.3,
}
for name, met in goals.items():
    print(f"{name}: {figures[name]:.4g}, {'met' if met else 'missed'}")
sys.exit(not all(goals.values()))
PYTHON
