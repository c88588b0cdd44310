"""What the commands share: the classifier, how it is explained, where pictures come from."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import jax
import tyro
from tqdm import tqdm

from jaxpath import data, explainers, gencnp, targets, training
from jaxpath.cli.experiments import load_experiment
from jaxpath.findings import Bench, Method
from jaxpath.types import InputError, Target

DENSITY = 0.2
"""Of the baselines, unless another is asked for: the smallest of the densities tried at which
``taylor_signed`` keeps the class of 99 % of images and nine tenths of its probability, on an ImageNet
ResNet-18, a CIFAR-10 ResNet-20 and a ResNet-8 for digits (docs/experiments.md)."""

_CPU_BATCH = 4
_ACCELERATOR_BATCH = 32


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassifierOptions:
    """The classifier to explain.

    Attributes:
        weights: Its weights: .safetensors, .pth, or hf://owner/name.
        model: Its name, such as resnet18; None reads it from the weights.
        num_classes: Its number of classes; None reads it from the weights.
        image_size: Side of the square images that it takes; None keeps the model's own (224, or 32 for the
            CIFAR ResNets).
        class_names: A .json list with one name per class; None takes the reference's, or numbers.
    """

    weights: str
    model: str | None = None
    num_classes: int | None = None
    image_size: int | None = None
    class_names: Path | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class MethodOptions:
    """How pathways are found.

    Attributes:
        generator: A trained generator: the folder of a run, or its generator.safetensors.
        train_on: Trains a generator on this data set first, in the output folder: a folder of class
            folders, an .npz file, or another form that jaxpath.data.open_source takes.
        train_steps: Steps of that training.
        density: Share of channels to open; None takes 0.2, and with a generator each picture's own.
        batch_size: Images at a time; None chooses. Another number compiles other programs.
        seed: Of everything that is drawn.
    """

    generator: Path | None = None
    train_on: str | None = None
    train_steps: int = 1000
    explainer: Annotated[
        str, tyro.conf.arg(help=f"Without a generator, the explainer: {', '.join(explainers.names())}.")
    ] = "taylor_signed"
    density: float | None = None
    batch_size: int | None = None
    seed: int = 0


def open_classifier(options: ClassifierOptions) -> tuple[Target, Any]:
    """Makes the target that the weights belong to, and loads them.

    Raises:
        InputError: The weights do not tell the model and ``--model`` does not either, or they do not fit.
    """
    found = targets.describe_weights(options.weights)
    name = options.model or found.name
    if name is None:
        raise InputError(
            f"the weights in {options.weights!r} do not tell their model; name it with --model: one of "
            f"{', '.join(targets.names())}"
        )
    chosen = {
        "num_classes": options.num_classes or found.num_classes,
        "channels": found.channels,
        "image_size": options.image_size,
    }
    target = targets.make_target(name, **{key: value for key, value in chosen.items() if value is not None})
    return target, targets.load_weights(target, options.weights)


def make_bench(target: Target, params: Any, options: MethodOptions) -> Bench:
    """The classifier on all devices, with a progress bar on the terminal."""
    mesh = training.make_mesh()
    each = _CPU_BATCH if jax.default_backend() == "cpu" else _ACCELERATOR_BATCH
    size = each * mesh.size if options.batch_size is None else options.batch_size
    training.check_batch_size(size, mesh)
    # Several programs call the same function on arrays of the same shapes: it is traced once for all.
    return Bench(target._replace(apply=jax.jit(target.apply)), params, mesh, size, watch)


def watch(title: str, total: int, batches: Iterable[Any]) -> Iterable[Any]:
    """A progress bar over the batches of one pass, where stderr is a terminal."""
    return tqdm(batches, desc=title, total=total, unit="batch", disable=None, leave=False)


def make_method(target: Target, options: MethodOptions, classifier: ClassifierOptions, out: Path) -> Method:
    """The explainer that the options name; trains a generator first if they say so.

    Raises:
        InputError: The options contradict each other, or the generator is missing or for another target.
    """
    if options.train_on is not None:
        if options.generator is not None:
            raise InputError("--generator and --train-on were both given; train a generator or name one")
        _train_generator(options, classifier, out / "generator", target)
        path = out / "generator" / "generator.safetensors"
    elif options.generator is not None:
        path = (
            options.generator / "generator.safetensors" if options.generator.is_dir() else options.generator
        )
    else:
        density = DENSITY if options.density is None else options.density
        explain = explainers.make_explainer(options.explainer, target, density=density)
        return Method(f"{options.explainer} at density {density:g}", lambda _: explain, {}, options.seed)
    generator, params = gencnp.load_generator(path, target)

    def make(params):
        return gencnp.make_gencnp(target, generator, params, density=options.density)

    cut = "with each picture's own density" if options.density is None else f"at density {options.density:g}"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Method(f"GEN-CNP generator {digest[:12]} {cut}", make, params, options.seed)


def _train_generator(
    options: MethodOptions, classifier: ClassifierOptions, out: Path, target: Target
) -> None:
    """Runs the experiment that trains generators, with its own defaults."""
    imagenet = load_experiment("imagenet")
    defaults = imagenet.Options(data=options.train_on, weights=classifier.weights)
    imagenet.run(
        dataclasses.replace(
            defaults,
            model=target.name,
            num_classes=target.num_classes,
            image_size=classifier.image_size,
            out=out,
            seed=options.seed,
            generator=dataclasses.replace(defaults.generator, steps=options.train_steps),
        )
    )


def read_class_names(path: Path | None, num_classes: int, *sources: data.Source | None) -> tuple[str, ...]:
    """Names of the classes: of the file, else of the first data set that has one for each, else none.

    Raises:
        InputError: The file is missing, holds something else, or as many names as there are no classes.
    """
    if path is None:
        named = (s.class_names for s in sources if s is not None and len(s.class_names) == num_classes)
        return next(named, ())
    form = f"expected a JSON list of {num_classes} names, one per class"
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"the class names in {path} cannot be read ({error}); {form}") from error
    if not isinstance(names, list) or len(names) != num_classes:
        raise InputError(f"{path} holds no list of {num_classes} names; {form}")
    return tuple(map(str, names))


def open_pictures(spec: str, *, split: str | None = None, data_dir: str | None = None) -> data.Source:
    """A data set, or a folder with pictures in it and not in class folders.

    Raises:
        InputError: There is neither.
    """
    path = Path(spec.removeprefix("folder:")).expanduser()
    if path.is_dir() and split is None and data.holds_images(path):
        return data.image_files([path])
    return data.open_source(spec, split=split, data_dir=data_dir)


def prepare_folder(out: Path) -> None:
    """Makes the output folder.

    Raises:
        InputError: There is a file of that name, or it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the folder {out} cannot be made ({error.strerror}); name another with --out"
        ) from error
