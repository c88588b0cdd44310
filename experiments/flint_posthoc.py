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
import time
from pathlib import Path

import common
import flint_fitting
import flint_outcome
from flint_fitting import FlintOptions

from jaxpath import flint, targets
from jaxpath.types import Target


@dataclasses.dataclass(frozen=True)
class Options(common.Launch):
    """A run on any classifier.

    Attributes:
        data: folder:PATH, npz:FILE, tfds:NAME, or another form that jaxpath.data.open_source takes.
        weights: The target's weights: .safetensors, .pth, or hf://owner/name.
        model: Name of the target.
        out: Folder of the run; the same command continues a run that was stopped.
        sites: Feature maps that the attributes read.
        data_dir: Where TFDS data sets are prepared.
        train_images: Further training images: a folder or a tar file of class folders.
        eval_split: Split that is scored; None holds out a share of the training images.
        eval_fraction: Share that is held out without an eval split, drawn by the seed.
        seed: Of initialisation, order, draws and the held-out share.
    """

    data: str
    weights: str
    model: str = "resnet18"
    out: Path = Path("runs/flint_posthoc")
    sites: tuple[str, ...] = ()
    data_dir: str | None = None
    train_images: str | None = None
    eval_split: str | None = None
    eval_fraction: float = 0.2
    seed: int = 0
    flint: FlintOptions = dataclasses.field(
        default_factory=lambda: FlintOptions(learning_rate=1e-3, schedule="cosine", epochs=12)
    )


def run(options: Options) -> None:
    """Set-up, training, report."""
    began = time.perf_counter()
    train, held_out = common.open_data(
        options.data,
        eval_split=options.eval_split,
        seed=options.seed,
        data_dir=options.data_dir,
        eval_fraction=options.eval_fraction,
        train_images=options.train_images,
    )
    small = {
        name: value
        for name, value in common.target_options(train).items()
        if name in ("image_size", "channels")
    }
    target = targets.make_target(options.model, **small)
    target_params = targets.load_weights(target, options.weights)
    common.check_data(target, train, held_out)
    config = common.as_config(options, weights=targets.weights_hash(options.weights))
    recipe = flint_fitting.apply_options(make_recipe(target, options.sites), options.flint)
    trained = flint_fitting.train_post_hoc(
        target,
        target_params,
        train,
        recipe,
        options.flint,
        out=options.out,
        seed=options.seed,
        config=config,
    )
    flint_outcome.report_interpreter(
        target,
        trained,
        held_out=held_out,
        train=train,
        options=options.flint,
        out=options.out,
        seed=options.seed,
        config=config,
        began=began,
        maximisation=flint.CIFAR10_MAXIMISATION,
    )


def make_recipe(target: Target, sites: tuple[str, ...]) -> flint.Recipe:
    """CIFAR-10's losses, with a decoder of transposed convolutions from about 8 x 8 up to the image.

    Attributes keep a slope below 0, as on MNIST: in a short run at a high rate those of a ReLU all die when
    the sparsity sets in.
    """
    doublings = max(1, (max(target.preprocessing.crop) - 1).bit_length() - 3)
    widths = tuple(8 * 2**i for i in reversed(range(doublings - 1)))
    interpreter = {
        **flint.CIFAR10.interpreter,
        "slope": flint.MNIST.interpreter["slope"],
        "decoder": "conv",
        "grid_channels": 16,
        "decoder_widths": widths,
    }
    return flint.CIFAR10._replace(sites=sites, interpreter=interpreter, restart=None)


if __name__ == "__main__":
    common.main(run, Options, __doc__)
