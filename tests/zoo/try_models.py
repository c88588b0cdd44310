r"""Tries everything of jaxpath on published classifiers, and writes the table of docs/own-models.md.

Each model is tried in a process of its own. The sites are those of the published network; where its library
takes a number of layers, the steps are taken with fewer of them. What is not installed is left out, and said:

    pip install jaxpath "transformers<5" keras equinox equimo dm-haiku einops ml_collections
    git clone https://github.com/jax-ml/bonsai
    git clone https://github.com/google-research/big_vision
    git clone https://github.com/google/flax
    export PYTHONPATH=bonsai:big_vision:flax/examples/imagenet
    python tests/zoo/try_models.py --out zoo                    # all models, all steps
    python tests/zoo/try_models.py --out zoo --only-sites       # only the sites: seconds for each
    python tests/zoo/try_models.py --out zoo --whole            # all steps with the published layers
    python tests/zoo/try_models.py --out zoo hf_vit keras_vgg16 # some of them
    python tests/zoo/try_models.py --out zoo --table
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

# Every program runs once or twice: compiling it takes longer than anything that it does.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")

import jax
import numpy as np
import optax
from entries import MODELS, Adapted

from jaxpath import Preprocessing, attributions, data, devices, explainers, gencnp, metrics, targets, training
from jaxpath.cli.main import main as run_command
from jaxpath.types import Params

for _catalogue in ("catalogue", "catalogue_others"):
    importlib.import_module(_catalogue)

BATCH, DENSITY = 4, 0.25
EXPLAINERS = ("activation", "taylor", "taylor_signed", "integrated_gradients")
FEW = {"integrated_gradients": {"steps": 2}, "smoothgrad": {"samples": 4}}
"""Options of those that take as many passes as they are asked for."""
CLOSE = 1e-4
"""Largest difference of logits, as a share of the largest, that counts as rounding."""


class Trial(NamedTuple):
    """A model at work.

    Attributes:
        model: What was adapted.
        params: Parameters none of which is 0 everywhere.
        images: [B, H, W, C], uint8.
        folder: For files.
    """

    model: Adapted
    params: Params
    images: np.ndarray
    folder: Path

    @property
    def source(self) -> data.Source:
        return data.ArraySource(
            self.images, np.arange(BATCH), class_names=[str(k) for k in range(self.classes)]
        )

    @property
    def classes(self) -> int:
        return self.model.target.num_classes

    @property
    def session(self) -> metrics.Session:
        return metrics.Session(self.model.target, self.params, devices.make_mesh(), batch_size=BATCH)


def own_logits(trial: Trial) -> None:
    """The target computes what the model computes."""
    floats = np.asarray(attributions.as_pixels(trial.model.target, trial.images))
    own = np.asarray(jax.jit(trial.model.forward)(trial.params, floats))
    found = np.asarray(jax.jit(trial.model.target.apply)(trial.params, floats).logits)
    assert np.ptp(own) > 0 and np.isfinite(own).all(), "the logits are all the same"
    error = np.abs(found - own).max() / np.abs(own).max()
    assert error < CLOSE, f"the logits differ by {error:.1e} of the largest"


def contracts(trial: Trial) -> None:
    """Open gates, closed channels, images that do not mix, gradients."""
    broken = targets.check(trial.model.target, trial.params, trial.images).failures()
    # The parameters of Keras's and Equinox's models are their own, for any key.
    broken = [one for one in broken if not one.startswith("init draws")]
    assert not broken, "; ".join(broken)


def explain(trial: Trial) -> None:
    """Four explainers open the density that was asked for."""
    for name in EXPLAINERS:
        options = {"density": DENSITY, **FEW.get(name, {})}
        run = jax.jit(explainers.make_explainer(name, trial.model.target, **options))
        pathway = run(trial.params, trial.images, np.zeros(BATCH, int), key=jax.random.key(0))
        opened = np.concatenate([np.asarray(mask) for mask in pathway.masks.values()], axis=1)
        assert np.allclose(opened.mean(axis=1), DENSITY, atol=1 / opened.shape[1]), name


def measure(trial: Trial) -> None:
    """All metrics of one explainer are finite."""
    method = metrics.Method.of("taylor", explainers.make_taylor(trial.model.target, density=DENSITY))
    passes = metrics.source_passes(trial.session, trial.source)
    records = metrics.explain_all(trial.session, method, passes)
    figures = metrics.evaluate_records(trial.session, records, passes)
    assert 0 <= figures["fidelity"] <= 1


def attribute(trial: Trial) -> None:
    """Every attribution of the predicted classes gives a finite map that is not 0."""
    failed = []
    classes = np.asarray(jax.jit(trial.model.target.apply)(trial.params, trial.images).logits).argmax(-1)
    for name in attributions.names():
        run = jax.jit(attributions.make_attribution(name, trial.model.target, **FEW.get(name, {})))
        try:
            maps = run(trial.params, trial.images, classes, key=jax.random.key(0))
        except Exception as error:
            failed.append(f"{name}: {str(error).splitlines()[0][:200]}")
            continue
        if maps.shape != trial.images.shape[:3] or not np.isfinite(maps).all() or not np.abs(maps).max():
            failed.append(f"{name}: {maps.shape}, largest {np.abs(maps).max()}")
    assert not failed, "; ".join(failed)


def train_generator(trial: Trial) -> None:
    """Three steps, saved, loaded, the same pathways."""
    target, mesh = trial.model.target, devices.make_mesh()
    generator = gencnp.Generator(target.sites, target.num_classes, width=8, grid=2)
    _, reading = jax.jit(partial(gencnp.read, target))(trial.params, trial.images)
    weights = jax.jit(generator.init)(jax.random.key(1), reading)
    options, optimizer = gencnp.ObjectiveOptions(gencnp.Faithfulness(0.1)), optax.adamw(1e-3)
    state = training.create_state(
        weights, optimizer, key=jax.random.key(2), extra=gencnp.init_sparsity(options)
    )
    step = training.make_train_step(gencnp.make_objective(target, generator, options), optimizer, mesh)
    batches = data.train_batches(trial.source, batch_size=BATCH, preprocessing=target.preprocessing, seed=0)
    result = training.fit(state, step, batches, trial.params, num_steps=3, mesh=mesh)
    batches.close()
    path = trial.folder / "generator.safetensors"
    gencnp.save_generator(generator, result.state.params, target, path, target_params=trial.params)
    loaded, again = gencnp.load_generator(path, target, params=trial.params)
    for made, weights in ((generator, result.state.params), (loaded, again)):
        run = jax.jit(gencnp.make_gencnp(target, made, weights, density=0.5))
        pathway = run(trial.params, trial.images, np.zeros(BATCH, int), key=jax.random.key(0))
        opened = np.concatenate([np.asarray(mask) for mask in pathway.masks.values()], axis=1)
        assert np.allclose(opened.mean(axis=1), 0.5, atol=1 / opened.shape[1])
        if made is generator:
            first = opened
    np.testing.assert_array_equal(first, opened)


_CHOSEN: list[Trial] = []


def chosen() -> tuple[Any, Params]:
    """What the page's command is given as ``--target``."""
    return _CHOSEN[0].model.target, _CHOSEN[0].params


def make_page(trial: Trial) -> None:
    """``jaxpath explain`` writes a page; parameters come from a file of any pytree."""
    from PIL import Image

    Image.fromarray(trial.images[0]).save(trial.folder / "picture.png")
    targets.save_parameters(trial.params, trial.folder / "params.safetensors")
    _CHOSEN[:] = [trial]
    sys.modules["try_models"] = sys.modules[__name__]
    out = trial.folder / "page"
    words = ["explain", str(trial.folder / "picture.png"), "--target", "try_models:chosen"]
    words += ["--weights", str(trial.folder / "params.safetensors"), "--out", str(out)]
    code = run_command(words)
    assert not code and (out / "report.html").stat().st_size > 0, f"the command ended with {code}"


STEPS: Mapping[str, Callable[[Trial], None]] = {
    "own logits": own_logits,
    "contracts": contracts,
    "explainers": explain,
    "metrics": measure,
    "attributions": attribute,
    "generator": train_generator,
    "page": make_page,
}


def disturb(params: Params) -> Params:
    """Parameters whose scales, statistics and last layers are not those at which training starts."""
    random = np.random.default_rng(0)

    def disturbed(leaf: Any) -> Any:
        leaf = np.asarray(leaf)
        if not np.issubdtype(leaf.dtype, np.floating):
            return leaf
        if leaf.ndim < 2 or not leaf.any():
            return (leaf + random.uniform(0, 0.2, leaf.shape)).astype(leaf.dtype)
        return leaf

    return jax.tree.map(disturbed, params)


def try_model(key: str, *, only_sites: bool, whole: bool) -> dict[str, Any]:
    """One model's row: its sites, and of each step either ``ok`` or what went wrong."""
    model, began = MODELS[key], time.process_time()
    preprocessing = Preprocessing(None, (model.side, model.side), (0.5,) * 3, (0.25,) * 3)
    row: dict[str, Any] = {"found": None, "by hand": model.count, "steps": {}}
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            adapted = model.make(preprocessing, False)
    except ImportError as error:
        return row | {"missing": str(error)}
    except Exception as error:
        traceback.print_exc()
        return row | {"error": f"{type(error).__name__}: {error}"[:500]}
    row["found"] = len(adapted.target.sites)
    row["notes"] = [
        *adapted.target.notes,
        *(str(one.message)[:200] for one in said if "jaxpath" in one.filename),
    ]
    row["sites"] = [f"{site.name} {site.channels} {site.size()}" for site in adapted.target.sites]
    if only_sites:
        return row
    if model.shallow_count is not None and not whole:
        del adapted
        adapted = model.make(preprocessing, True)
        found, by_hand = len(adapted.target.sites), model.shallow_count
        row["steps"]["sites"] = "ok" if found == by_hand else f"{found} sites, {by_hand} by hand"
        row["tried sites"] = found
    for name, result, seconds in _steps(adapted, preprocessing):
        row["steps"][name] = result
        print(f"{key}: {name} {result} ({seconds:.0f} s)", flush=True)
    return row | {"seconds": round(time.process_time() - began)}


def _steps(adapted: Adapted, preprocessing: Preprocessing) -> Iterator[tuple[str, str, float]]:
    """The name of each step, either ``ok`` or what went wrong, and the process's seconds."""
    params = disturb(jax.jit(adapted.target.init)(jax.random.key(0)))
    shape = (BATCH, *preprocessing.shape)
    images = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(adapted, params, images, Path(folder))
        for name, step in STEPS.items():
            began = time.process_time()
            result = "ok"
            try:
                step(trial)
            except (Exception, SystemExit) as error:
                traceback.print_exc()
                result = f"{type(error).__name__}: {str(error)[:400]}"
            yield name, result, time.process_time() - began
    jax.clear_caches()


def table(folder: Path) -> str:
    """The rows in a folder as a table of Markdown."""
    lines = ["| Model | Library | Found | By hand | Steps, with how many sites |", "|---|---|---|---|---|"]
    for key, model in MODELS.items():
        path = folder / f"{key}.json"
        row = json.loads(path.read_text()) if path.is_file() else {}
        if row.get("found") is None:
            continue
        failed = [name for name, result in row["steps"].items() if result != "ok"]
        tried = row.get("tried sites", row["found"])
        steps = f"fails: {', '.join(failed)}" if failed else "all"
        steps = f"{steps}, {tried}" if row["steps"] else "not tried"
        lines.append(f"| {model.name} | {model.library} | {row['found']} | {model.count} | {steps} |")
    return "\n".join(lines)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(MODELS)}")
    parser.add_argument("--out", type=Path, required=True, help="folder of the rows, one file for each model")
    parser.add_argument("--only-sites", action="store_true", help="adapt, and no more")
    parser.add_argument("--whole", action="store_true", help="take all steps with the published layers")
    parser.add_argument("--table", action="store_true", help="print the table of what is in the folder")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.table:
        print(table(options.out))
        return
    for key in options.models or MODELS:
        if not options.here:
            flags = {"--only-sites": options.only_sites, "--whole": options.whole}
            given = [flag for flag, is_given in flags.items() if is_given]
            command = [sys.executable, __file__, key, "--here", "--out", str(options.out), *given]
            subprocess.run(command, check=False, env=os.environ)
            continue
        row = try_model(key, only_sites=options.only_sites, whole=options.whole)
        (options.out / f"{key}.json").write_text(json.dumps(row, indent=1))
        said = row.get("missing") or row.get("error") or ""
        print(f"{key}: {row['found']} sites, {row['by hand']} by hand {said}", flush=True)


if __name__ == "__main__":
    main()
