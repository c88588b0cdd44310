r"""Learns attributes for a classifier that is already trained and stays as it is.

    python experiments/flint_posthoc.py --model resnet20 --weights resnet20.safetensors --data cifar10.npz \
        --train-images cifar10_train.tar --eval-split test --epochs 8 --out runs/flint_resnet20

    python experiments/flint_posthoc.py --model resnet18 --weights resnet18.safetensors \
        --data folder:photographs --attributes 180 --batch-size 16 --out runs/flint_resnet18

The paper names this variant and no script of it is public: maps, schedule and decoder are our reading. Losses
and weights are those of CIFAR-10 without the classifier's own. ``--sites`` names the maps that attributes
read; by default the last of each of the two smallest sizes.
"""

import dataclasses
from pathlib import Path

from jaxpath import flint, runs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(runs.DataOptions, runs.Launch):
    """A run on any classifier.

    Attributes:
        weights: The target's weights: .safetensors, .pth, or hf://owner/name.
        model: Name of the target.
        out: Folder of the run; the same command continues a run that was stopped.
        sites: Feature maps that the attributes read.
        seed: Of initialisation, order, draws and the held-out share.
    """

    weights: str | None = None
    model: str = "resnet18"
    out: Path = Path("runs/flint_posthoc")
    sites: tuple[str, ...] = ()
    seed: int = 0
    loading: runs.WeightsOptions = dataclasses.field(default_factory=runs.WeightsOptions)
    flint: runs.flint.FlintOptions = dataclasses.field(
        default_factory=lambda: runs.flint.FlintOptions(learning_rate=1e-3, schedule="cosine", epochs=12)
    )


def train_and_report(options: Options) -> None:
    """Set-up, training, report."""
    run = runs.begin(options)
    train, held_out = runs.open_data(options, seed=options.seed)
    channels = runs.target_options(train).get("channels")
    net = runs.load_net(
        options.model, options.weights, options=options.loading, like=train, channels=channels
    )
    run = run.knowing(**runs.known_by(net))
    study = runs.make_study(net, train, held_out)
    recipe = runs.flint.post_hoc_recipe(study.target, options.sites)
    trained = runs.flint.train_post_hoc(study.target, study.params, train, recipe, options.flint, run=run)
    runs.flint.report_interpreter(
        study, trained, options.flint, run=run, maximisation=flint.CIFAR10_MAXIMISATION
    )


if __name__ == "__main__":
    runs.main(train_and_report, Options, __doc__)
