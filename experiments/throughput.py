r"""How fast a training step of the generator is, and how far from what it cannot do without.

    python experiments/throughput.py --model resnet18 --image-size 64 --batch-size 32 --out runs/throughput

The *floor* of a step is one clean forward of the target, and one gated forward with its gradient with respect
to the gates: every implementation has to do that much. Step, floor and all else that is timed take turns in
one run, a call each, and figures are medians. Nothing is loaded and nothing is trained: weights and images
are random, which changes no time. ``--data`` reads real images besides, to time the input pipeline.

``--against-torch`` times the same step in plain PyTorch (experiments/torch_step.py, ``pip install
'jaxpath[bench]'``), eager or compiled, in the same turns. Written is ``results.json``.
"""

import contextlib
import ctypes
import dataclasses
import functools
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import common
import fitting
import jax
import jax.numpy as jnp
import numpy as np
import outcome
from common import GeneratorOptions
from flax.traverse_util import flatten_dict

from jaxpath import compiling, data, explainers, gencnp, losses, targets, training
from jaxpath.runs.objective_options import ObjectiveFlags
from jaxpath.targets.torch_names import parameter_slots
from jaxpath.types import InputError, Params, Target

PEAK_FLOPS = {
    "H200": 989e12,
    "H100": 989e12,
    "A100": 312e12,
    "TPU v4": 275e12,
    "TPU v5 lite": 197e12,
    "TPU v5p": 459e12,
    "TPU v6 lite": 918e12,
}
"""Dense bfloat16 operations per second by a part of the device's name, from the makers' data sheets."""

TORCH_STEP = Path(__file__).with_name("torch_step.py")


@dataclasses.dataclass(frozen=True)
class Options(common.Launch):
    """What to time.

    Attributes:
        model: Name of the target.
        image_size: Side of the square images; None keeps the target's own.
        batch_size: Images per step, over all devices.
        dtype: Type in which target and generator compute.
        out: Folder of the results.
        rounds: Turns that everything takes.
        seconds: Ends the turns earlier, but not before three.
        explainers: Explainers whose time per image is measured too: baselines, or gencnp.
        against_torch: Time the same step in PyTorch: eager, or compiled by torch.compile.
        torch_python: Python that has PyTorch; None takes the one that runs this.
        data: Images for the input pipeline: folder:PATH, an .npz file, or another form of data set.
        split: Split of these data.
        num_workers: Processes that read images; 0 uses threads.
        width: Width of the generator's embeddings.
        rematerialize: Compute activations of the gated pass a second time instead of keeping them.
    """

    model: str = "resnet18"
    image_size: int | None = None
    batch_size: int = 32
    dtype: Literal["float32", "bfloat16"] = "float32"
    out: Path = Path("runs/throughput")
    rounds: int = 21
    seconds: float = 120.0
    explainers: tuple[str, ...] = ()
    against_torch: Literal["no", "eager", "compiled"] = "no"
    torch_python: str | None = None
    data: str | None = None
    split: str | None = None
    num_workers: int = 0
    width: int = 128
    rematerialize: bool = False


class Bench(NamedTuple):
    """The objects of one run.

    Attributes:
        target: The classifier.
        params: Its random parameters.
        generator: The generator.
        weights: Its parameters at the start.
        images: uint8 [B, H, W, C].
    """

    target: Target
    params: Params
    generator: gencnp.Generator
    weights: Params
    images: np.ndarray


def run(options: Options) -> None:
    """Compiles, takes turns, writes."""
    began = time.perf_counter()
    # The time to compile is one of the figures, and memory is that of the step alone.
    jax.config.update("jax_enable_compilation_cache", False)
    unknown = sorted(set(options.explainers) - {"gencnp", *explainers.names()})
    if unknown:
        raise InputError(f"--explainers got {unknown}; choose from gencnp, {', '.join(explainers.names())}")
    bench = make_bench(options)
    device = jax.devices()[0]
    common.say(f"{bench.target.name}, {bench.images.shape}, {options.dtype}, {device.device_kind}")

    calls, found = prepare_step(bench, options)
    floor, flops = prepare_floor(bench)
    calls["floor"] = floor
    for name in options.explainers:
        calls[name] = prepare_explainer(bench, name)
    if options.against_torch != "no":
        with tempfile.TemporaryDirectory() as folder, Torch(bench, options, Path(folder)) as torch:
            for name in ("step", "floor", "forward"):
                calls[f"torch_{name}"] = functools.partial(torch.ask, name)
            times = take_turns(calls, options)
    else:
        times = take_turns(calls, options)

    found |= summarise(times, bench, options, flops=flops, device=device.device_kind)
    if options.data is not None:
        found["pipeline_images_per_second"] = time_pipeline(bench.target, options)
    for name, value in found.items():
        common.say(f"  {name:>28} {value:.4g}" if isinstance(value, float) else f"  {name:>28} {value}")
    if jax.process_index() == 0:
        options.out.mkdir(parents=True, exist_ok=True)
    outcome.write_results(options.out, found, config=common.as_config(options), began=began)


def make_bench(options: Options) -> Bench:
    """Target and generator with random weights, and random images."""
    chosen = {} if options.image_size is None else {"image_size": options.image_size}
    target = targets.make_target(options.model, dtype=options.dtype, **chosen)
    generator_options = GeneratorOptions(width=options.width, precision=options.dtype)
    generator = fitting.make_generator(target, generator_options)
    params = target.init(jax.random.key(0))
    weights = fitting.init_generator(generator, target, params, seed=0)
    shape = (options.batch_size, *target.preprocessing.crop, len(target.preprocessing.mean))
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return Bench(target, params, generator, weights, images)


def prepare_step(bench: Bench, options: Options) -> tuple[dict[str, Callable[[], float]], dict[str, float]]:
    """The training step of the experiments, compiled; seconds to compile, and its memory.

    What is planned is the step's alone: arguments, results and temporary values. The peaks are those of the
    whole process, until the step is compiled and while it runs.
    """
    mesh = training.make_mesh()
    training.check_batch_size(options.batch_size, mesh)
    objective = ObjectiveFlags(rematerialize=options.rematerialize)
    chosen = GeneratorOptions(width=options.width, precision=options.dtype, steps=10**6, objective=objective)
    create_state, step = fitting.make_generator_step(bench.target, bench.generator, chosen, mesh)
    # A copy: the step donates its state, and the weights are needed once more.
    state = training.replicate(create_state(jax.tree.map(jnp.array, bench.weights), 0), mesh)
    frozen = training.replicate(bench.params, mesh)
    count = len(bench.images)
    batch = training.shard_batch(
        {"image": bench.images, "label": np.zeros(count, np.int32), "weight": np.ones(count, np.float32)},
        mesh,
    )
    start = time.perf_counter()
    compiled = step.lower(state, frozen, batch).compile()  # type: ignore[attr-defined]
    found = {"compile_s": time.perf_counter() - start}
    plan = compiled.memory_analysis()
    planned = plan.argument_size_in_bytes + plan.output_size_in_bytes + plan.temp_size_in_bytes
    found["planned_memory_mb"] = (planned - plan.alias_size_in_bytes) / 1e6
    found["compile_memory_mb"] = peak_memory() / 1e6
    start_peak()
    box = [state]

    def call() -> float:
        begun = time.perf_counter()
        box[0], metrics = compiled(box[0], frozen, batch)
        jax.block_until_ready((box[0], metrics))
        return 1000 * (time.perf_counter() - begun)

    for _ in range(2):
        call()
    found["peak_memory_mb"] = peak_memory() / 1e6
    return {"step": call}, found


def start_peak() -> None:
    """Hands back what the compiler freed and lets :func:`peak_memory` begin anew; Linux with glibc only."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> float:
    """Bytes: the device's peak where it counts them, else this process's since :func:`start_peak`."""
    statistics_of = jax.devices()[0].memory_stats()
    if statistics_of:
        return float(statistics_of["peak_bytes_in_use"])
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (
        1 if sys.platform == "darwin" else 1024
    )


def prepare_floor(bench: Bench) -> tuple[Callable[[], float], float]:
    """One clean forward, and one gated forward with its gradient; its floating-point operations."""
    target = bench.target

    def floor(params, images, gates):
        clean = target.apply(params, images).logits

        def loss(gates):
            return losses.kl_divergence(clean, target.apply(params, images, gates).logits).mean()

        return clean, *jax.value_and_grad(loss)(gates)

    gates = {site.name: jnp.ones((len(bench.images), site.channels)) for site in target.sites}
    arguments = bench.params, jnp.asarray(bench.images), gates
    compiled = compiling.jit(floor).lower(*arguments).compile()
    costs = compiled.cost_analysis() or {}
    return _timed(compiled, *arguments), float(costs.get("flops", float("nan")))


def prepare_explainer(bench: Bench, name: str) -> Callable[[], float]:
    """Images to masks."""
    if name == "gencnp":

        def explain(params, weights, images):
            made = gencnp.make_gencnp(bench.target, bench.generator, weights)
            return made(params, images, jnp.zeros(len(images), int), key=jax.random.key(0)).masks
    else:
        baseline = explainers.make_explainer(name, bench.target, density=0.1)

        def explain(params, weights, images):
            labels = bench.target.apply(params, images).logits.argmax(axis=-1)
            return baseline(params, images, labels, key=jax.random.key(0)).masks

    return _timed(compiling.jit(explain), bench.params, bench.weights, jnp.asarray(bench.images))


def _timed(function: Callable[..., Any], *arguments: Any) -> Callable[[], float]:
    def call() -> float:
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        return 1000 * (time.perf_counter() - start)

    return call


def take_turns(calls: Mapping[str, Callable[[], float]], options: Options) -> dict[str, list[float]]:
    """Milliseconds of each call, one after the other, round by round; the first round is not counted.

    Every round has an order of its own: a call is slower after one that left little of its memory in caches.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    order = list(calls)
    shuffle = random.Random(0).shuffle
    began = time.perf_counter()
    for done in range(options.rounds):
        if done >= 3 and time.perf_counter() - began > options.seconds:
            break
        shuffle(order)
        for name in order:
            times[name].append(calls[name]())
    return times


def summarise(
    times: Mapping[str, list[float]], bench: Bench, options: Options, *, flops: float, device: str
) -> dict[str, Any]:
    """The figures of ``results.json``."""
    median = {name: statistics.median(values) for name, values in times.items()}
    count = len(bench.images)
    found: dict[str, Any] = {
        "step_ms": median["step"],
        "floor_ms": median["floor"],
        "step_over_floor": median["step"] / median["floor"],
        "images_per_second": 1000 * count / median["step"],
        "rounds": len(times["step"]),
    }
    peak = next((value for name, value in PEAK_FLOPS.items() if name in device), None)
    if peak is not None and options.dtype == "bfloat16":
        # The floor's operations: what the generator adds is overhead, not use.
        found["model_flop_utilisation"] = flops / (median["step"] / 1000) / (peak * jax.device_count())
    for name in options.explainers:
        found[f"explain_{name}_images_per_second"] = 1000 * count / median[name]
    if "torch_step" in median:
        for name in ("step", "floor", "forward"):
            found[f"torch_{name}_ms"] = median[f"torch_{name}"]
        found[f"over_torch_{options.against_torch}"] = median["step"] / median["torch_step"]
        for name in options.explainers:
            found[f"explain_{name}_over_torch_forward"] = median["torch_forward"] / median[name]
    return found


def time_pipeline(target: Target, options: Options, *, seconds: float = 10.0) -> float:
    """Images per second that the input pipeline of training delivers when nothing else runs."""
    assert options.data is not None
    source = data.open_source(options.data, split=options.split)
    batches = common.train_batches(
        source,
        target,
        batch_size=options.batch_size,
        seed=0,
        augment="crop_flip",
        num_workers=options.num_workers,
    )
    try:
        stream = iter(batches)
        for _ in range(2):
            next(stream)
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            count += len(next(stream)["image"])
        return count / (time.perf_counter() - start)
    finally:
        batches.close()


class Torch:
    """The process that runs experiments/torch_step.py."""

    def __init__(self, bench: Bench, options: Options, folder: Path) -> None:
        write_arrays(bench, folder / "arrays.npz")
        aim = gencnp.Faithfulness()
        settings = {
            "dtype": options.dtype,
            "grid": bench.generator.grid,
            "compile": options.against_torch == "compiled",
            "random_density_share": aim.random_density_share,
            "faithfulness": aim.nats,
        }
        command = [options.torch_python or sys.executable, str(TORCH_STEP), "--arrays"]
        command += [str(folder / "arrays.npz"), "--settings", json.dumps(settings)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __enter__(self) -> "Torch":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, request: str) -> float:
        """The answer to one request."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            print(request, file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise InputError(
                "the PyTorch process ended, its message is above; install PyTorch with pip install "
                "'jaxpath[bench]', or name a Python that has it with --torch-python"
            )
        return float(answer)


def write_arrays(bench: Bench, path: Path) -> None:
    """Everything that both sides must agree on."""
    params, slots = flatten_dict(bench.params), parameter_slots(bench.target)
    arrays = {f"target/{slot.key}": slot.to_torch(np.asarray(params[slot.path])) for slot in slots}
    made = flatten_dict(bench.weights["params"], sep="/")
    arrays |= {f"generator/{name}": np.asarray(value, np.float32) for name, value in made.items()}
    images = targets.normalize(jnp.asarray(bench.images), bench.target.preprocessing)
    arrays["images"] = np.asarray(images, np.float32).transpose(0, 3, 1, 2)
    np.savez(path, **arrays)  # type: ignore[arg-type]


if __name__ == "__main__":
    common.main(run, Options, __doc__)
