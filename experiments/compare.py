r"""Compares explainers of one classifier on the same images at the same densities.

    python experiments/compare.py --model resnet20 --weights resnet20.safetensors \
        --data cifar10.npz --eval-split test --generators gencnp:run0/generator.safetensors \
        gencnp:run1/generator.safetensors --out runs/compare

Every explainer scores the neurons of each image; the best-scored are opened, over all sites at once, until
the density is reached exactly. Written are ``results.json``, ``curves.csv`` (one row per explainer and
density), ``table.md`` (one row per explainer) and figures. Generators of one name are runs with different
seeds: their rows are means, with 95 % intervals over the runs. Explainers of tens or hundreds of passes per
image take the first ``--search-images`` images only, and every row says how many it rests on. Insertion
and deletion take those images for all explainers; ``mdc_searched`` is the mean drop of confidence on them.
"""

import dataclasses
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import common
import jax
import jax.numpy as jnp
import numpy as np
import outcome
import tables
from tqdm import tqdm

from jaxpath import compiling, data, explainers, gencnp, metrics, report, targets, training
from jaxpath.types import Explainer, InputError, Params, Target


@dataclasses.dataclass(frozen=True)
class Options(common.Launch):
    """A comparison of explainers.

    Attributes:
        data: folder:PATH, tfds:NAME, an .npz file, or another form that jaxpath.data.open_source takes.
        weights: The target's weights: .safetensors, .pth, or hf://owner/name.
        out: Folder of the results.
        model: Name of the target.
        num_classes: Classes of the target; None takes those of the data.
        image_size: Side of the square images that the target takes; None keeps its own.
        data_dir: Where TFDS data sets are prepared.
        eval_split: Split that is scored; None takes everything.
        eval_fraction: Scores only the share that experiments/imagenet.py holds out with the same seed.
        images: Scores the first so many images; None takes all.
        search_images: Of these, how many the slow explainers take.
        explainers: Names of the baselines.
        generators: Trained generators as NAME:FILE; files of one name are runs with different seeds.
        refine_steps: Steps of per-image search from the scores of the first generator of each name; 0 leaves
            it out.
        densities: Fractions of neurons to open.
        granularity: One gate per channel or per unit; generators must have been trained for it.
        ablation: What a closed neuron is set to: 0, or its mean over the images.
        timed_batches: Batch sizes at which the time per image is measured; none leaves it out.
        memory: Bytes of activations per device that one batch may take.
        seed: Of explainers that draw, of the images of other classes, and of the held-out share.
    """

    data: str
    weights: str
    out: Path = Path("runs/compare")
    model: str = "resnet18"
    num_classes: int | None = None
    image_size: int | None = None
    data_dir: str | None = None
    eval_split: str | None = None
    eval_fraction: float | None = None
    images: int | None = None
    search_images: int = 100
    explainers: tuple[str, ...] = explainers.names()
    generators: tuple[str, ...] = ()
    refine_steps: int = 30
    densities: tuple[float, ...] = metrics.DENSITIES
    granularity: Literal["channel", "unit"] = "channel"
    ablation: Literal["zero", "mean"] = "zero"
    timed_batches: tuple[int, ...] = (1, 64)
    memory: int = 2**30
    seed: int = 0


class Entry(NamedTuple):
    """One line of the comparison before its runs are merged.

    Attributes:
        name: Of the explainer.
        make: ``explainer_params -> Explainer``.
        params: Of a trained explainer; ``{}`` if it has none.
        slow: Takes the ``--search-images`` only.
        natural: For a generator, the explainer with masks at a density of its own for every image.
    """

    name: str
    make: Callable[[Params], Explainer]
    params: Params
    slow: bool = False
    natural: Callable[[Params], Explainer] | None = None


def run(options: Options) -> None:
    """Explainers, scores, times, tables and figures."""
    began = time.perf_counter()
    source = open_images(options)
    chosen = common.target_options(source, image_size=options.image_size)
    if options.num_classes is not None:
        chosen["num_classes"] = options.num_classes
    target = targets.make_target(options.model, **chosen)
    params = targets.load_weights(target, options.weights)
    entries = make_entries(target, options)
    common.check_data(target, source)
    mesh = training.make_mesh()
    batch_size = metrics.fitting_batch_size(target, budget=options.memory) * mesh.size
    common.say(f"{len(source)} images, {batch_size} at a time, {len(entries)} explainers")

    def passes(count: int) -> metrics.Batches:
        part = data.Subset(source, np.arange(min(count, len(source))))
        return common.eval_passes(part, target, batch_size=min(batch_size, _rounded(len(part), mesh.size)))

    batches = {slow: passes(options.search_images if slow else len(source)) for slow in (False, True)}
    fills: metrics.Fills | None = None
    if options.ablation == "mean":
        fills = metrics.site_means(target, params, batches[False], mesh=mesh)
    found = []
    with tqdm(total=_work(entries, options, batches), unit="batch", disable=None) as progress:
        for entry in entries:
            progress.set_description(entry.name)
            counted = {slow: _counting(start, progress) for slow, start in batches.items()}
            found.append(score(target, params, entry, counted, options, mesh=mesh, fills=fills))
            tqdm.write(f"{entry.name}: scored on {found[-1]['num_images']} images", file=sys.stderr)
    measure_times(target, params, entries, found, source, options)

    rows = tables.merge(found)
    tables.print_curves(rows)
    config = common.as_config(options, weights=targets.weights_hash(options.weights))
    if jax.process_index() == 0:
        options.out.mkdir(parents=True, exist_ok=True)
    results = {"explainers": rows, "num_images": len(source)}
    outcome.write_results(options.out, results, config=config, began=began)
    if jax.process_index() == 0:
        write_tables(options.out, rows)


def write_tables(out: Path, rows: Mapping[str, dict[str, Any]]) -> None:
    """Writes ``curves.csv``, ``table.md``, ``curves.png``, and ``times.png`` if times were measured."""
    tables.write_csv(out / "curves.csv", rows)
    (out / "table.md").write_text(tables.one_row_each(rows))
    figure = report.plot_curves({name: row["curve"] for name, row in rows.items()})
    report.save_figure(figure, out / "curves.png")
    times = {
        name: row["milliseconds_per_image"] for name, row in rows.items() if "milliseconds_per_image" in row
    }
    if times:
        report.save_figure(report.plot_times(times), out / "times.png")


def make_entries(target: Target, options: Options) -> list[Entry]:
    """The baselines, then the trained generators, then the search that starts from the first of each name."""
    lowest = min(options.densities)
    entries = []
    for name in options.explainers:
        explain = explainers.make_explainer(name, target, density=lowest, granularity=options.granularity)

        def make(_: Params, explain: Explainer = explain) -> Explainer:
            return explain

        entries.append(Entry(name, make, {}, slow=explainers.BASELINES[name].slow))
    generators = []
    for text in options.generators:
        name, separator, path = text.partition(":")
        if not separator or not name or name in explainers.names():
            raise InputError(
                f"--generators got {text!r}; expected NAME:FILE with a name that no baseline has, such as "
                "gencnp:runs/cifar10/generator.safetensors"
            )
        generators.append((name, *gencnp.load_generator(path, target)))
    for name, generator, weights in generators:
        if generator.granularity != options.granularity:
            raise InputError(
                f"the generator {name!r} makes {generator.granularity} gates, but the comparison is of "
                f"{options.granularity} gates; set --granularity {generator.granularity}"
            )

        def cut(weights, generator=generator):
            return gencnp.make_gencnp(target, generator, weights, density=lowest)

        def natural(weights, generator=generator):
            return gencnp.make_gencnp(target, generator, weights)

        entries.append(Entry(name, cut, weights, natural=natural))
    first = {entry.name: entry for entry in reversed(entries) if entry.natural}
    for name, entry in reversed(first.items()):

        def refined(weights, start=entry.make):
            return explainers.make_refined(
                target,
                start(weights),
                density=lowest,
                granularity=options.granularity,
                steps=options.refine_steps,
            )

        if options.refine_steps:
            entries.append(Entry(f"{name}, refined", refined, entry.params, slow=True))
    return entries


def open_images(options: Options) -> data.Source:
    """The images to score."""
    source = data.open_source(options.data, split=options.eval_split, data_dir=options.data_dir)
    if options.eval_fraction is not None:
        _, source = data.split(source, options.eval_fraction, options.seed)
    if options.images is not None:
        source = data.Subset(source, np.arange(min(options.images, len(source))))
    return source


def score(
    target: Target,
    params: Params,
    entry: Entry,
    passes: Mapping[bool, metrics.Batches],
    options: Options,
    *,
    mesh: jax.sharding.Mesh,
    fills: metrics.Fills | None,
) -> dict[str, Any]:
    """Everything about one explainer but its time; ``passes[True]`` are the few images for slow work."""
    batches = passes[entry.slow]
    explained = (target, params, entry.make, entry.params)
    common_arguments: dict[str, Any] = {"mesh": mesh, "seed": options.seed, "fills": fills}
    at = {"densities": options.densities, **common_arguments}
    if entry.slow:
        records, order = metrics.explain_once(*explained, batches, fractions=metrics.FRACTIONS, **at)
        assert order is not None
    else:
        records = metrics.explain_at_densities(*explained, batches, **at)
        order = metrics.insertion_deletion(*explained, passes[True], **common_arguments)
    curve = []
    for density, record in zip(options.densities, records, strict=True):
        found = metrics.evaluate_records(target, params, record, batches, **common_arguments)
        agree = (record.masked_predicted == record.predicted).astype(float)
        interval = metrics.image_interval(agree, seed=options.seed)
        searched = record.indices < options.search_images
        curve.append(
            {
                "density": float(density),
                **{name: found[name] for name in (*tables.COUNTED, "random_aciou")},
                "fidelity_low": interval.low,
                "fidelity_high": interval.high,
                "mdc_searched": metrics.mean_drop(
                    record.clean_confidence[searched], record.masked_confidence[searched]
                ),
            }
        )
    result: dict[str, Any] = {
        "name": entry.name,
        "num_images": len(records[0].labels),
        "curve": curve,
        "insertion": float(order.insertion_area.mean()),
        "deletion": float(order.deletion_area.mean()),
    }
    if entry.natural:
        natural = metrics.explain_all(
            target, params, entry.natural, entry.params, batches, **common_arguments
        )
        found = metrics.evaluate_records(target, params, natural, batches, **common_arguments)
        keep = (*tables.COUNTED, "density", "density_std", "dead_share", "random_aciou", "collapsed_sites")
        result["natural"] = {name: found[name] for name in keep}
    return result


def measure_times(
    target: Target,
    params: Params,
    entries: Sequence[Entry],
    found: Sequence[dict[str, Any]],
    source: data.Source,
    options: Options,
) -> None:
    """Adds ``milliseconds_per_image`` by batch size: medians, the explainers in turn, on one device.

    Only the time to the masks counts, those of a generator at densities of its own: no masked forward that
    the explainer does not need itself, no input pipeline.
    """
    largest = metrics.fitting_batch_size(target, budget=options.memory)
    for wanted in options.timed_batches:
        size = min(wanted, largest)
        part = data.Subset(source, np.arange(size) % len(source))
        batch = next(iter(common.eval_passes(part, target, batch_size=size)()))
        images, labels = jnp.asarray(batch["image"]), jnp.asarray(batch["label"])
        for entry, result in zip(entries, found, strict=True):

            def explain(params, weights, images, labels, entry=entry):
                make = entry.natural or entry.make
                return make(weights)(params, images, labels, key=jax.random.key(0)).masks

            times = time_calls(compiling.jit(explain), params, entry.params, images, labels)
            result.setdefault("milliseconds_per_image", {})[str(size)] = 1000 * times / size


def time_calls(function: Callable[..., Any], *arguments: Any, seconds: float = 1.0) -> float:
    """Median seconds of a call after one that compiles: three to fifty of them, or one if it takes long."""
    jax.block_until_ready(function(*arguments))
    times: list[float] = []
    while not times or (sum(times) < 5 * seconds and (len(times) < 3 or sum(times) < seconds)):
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _rounded(count: int, devices: int) -> int:
    """The smallest multiple of ``devices`` that is at least ``count``."""
    return -(-count // devices) * devices


def _work(entries: Sequence[Entry], options: Options, batches: Mapping[bool, metrics.Batches]) -> int:
    """Batches that all explainers together will take."""
    lengths = {slow: sum(1 for _ in start()) for slow, start in batches.items()}
    leaks = len(options.densities)

    def work(entry: Entry) -> int:
        once = lengths[True] + (0 if entry.slow else lengths[False])
        return once + (leaks + 2 * bool(entry.natural)) * lengths[entry.slow]

    return sum(map(work, entries))


def _counting(batches: metrics.Batches, progress: tqdm) -> metrics.Batches:
    """The same passes, which tell ``progress`` about every batch."""

    def start() -> Iterable[Mapping[str, np.ndarray]]:
        for batch in batches():
            yield batch
            progress.update()

    return start


if __name__ == "__main__":
    common.main(run, Options, __doc__)
