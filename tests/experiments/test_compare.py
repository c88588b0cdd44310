"""The comparison of explainers on digits: what it writes, and figures that must come out."""

import csv
import json

import jax
import numpy as np
import pytest
from figure_files import series_in

from jaxpath import data, devices, explainers, fills, gencnp, metrics, runs, targets
from jaxpath.runs import boxes as boxes_of
from jaxpath.runs import comparison
from jaxpath.runs.comparison import comparing, keeping
from jaxpath.types import InputError


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Weights of an untrained ResNet-8 for digits, and two untrained generators."""
    folder = tmp_path_factory.mktemp("files")
    target = targets.resnet8(image_size=8, channels=1)
    params = target.init(jax.random.key(0))
    targets.save_weights(target, params, folder / "weights.safetensors")
    generator = runs.make_generator(target, runs.GeneratorOptions(width=8))
    for seed in (0, 1):
        weights = runs.init_generator(generator, target, params, seed=seed)
        path = folder / f"{seed}.safetensors"
        gencnp.save_generator(generator, weights, target, path, target_params=params)
    return folder


@pytest.fixture
def options(files, tmp_path):
    """A comparison of digits: ``options(explainers=..., densities=...)``."""

    def make(**changes):
        defaults = {
            "data": "digits",
            "eval_split": "test",
            "model": "resnet8",
            "out": tmp_path,
            "ablation": "zero",
        }
        weights = str(files / "weights.safetensors")
        return comparison.Comparison(**{**defaults, "weights": weights, "timed_batches": (), **changes})

    return make


@pytest.fixture
def generators(files):
    """Both generators as runs of one name."""
    return tuple(f"gen:{files / f'{seed}.safetensors'}" for seed in (0, 1))


@pytest.mark.slow
def test_a_comparison_is_written_with_means_over_the_runs_of_one_name(start, files, generators, tmp_path):
    arguments = ["--data", "digits", "--eval-split", "test", "--model", "resnet8", "--out", tmp_path]
    arguments += ["--weights", files / "weights.safetensors", "--images", 24, "--search-images", 8]
    arguments += ["--generators", *generators, "--densities", 0.2, 1, "--refine-steps", 2]
    status, error = start("compare", *arguments, "--explainers", "random")
    assert status == 0, error

    results = json.loads((tmp_path / "results.json").read_text())
    rows = results["explainers"]
    assert list(rows) == ["random", "gen", "gen, refined"]
    assert [row["num_images"] for row in rows.values()] == [24, 24, 8]
    assert [row["runs"] for row in rows.values()] == [1, 2, 1]
    for name, row in rows.items():
        sparse, complete = row["curve"]
        # With every neuron open the masked network is the network.
        assert (complete["fidelity"], complete["mdc"]) == (1.0, 0.0), name
        assert sparse["fidelity_low"] <= sparse["fidelity"] <= sparse["fidelity_high"]
        assert set(row["milliseconds_per_image"]) == {"1", "64"}
    point = rows["gen"]["curve"][0]
    assert point["fidelity_runs_low"] <= point["fidelity"] <= point["fidelity_runs_high"]
    assert "natural" in rows["gen"] and "natural" not in rows["random"]

    with (tmp_path / "curves.csv").open() as file:
        lines = list(csv.DictReader(file))
    # Two densities under two ablations.
    assert len(lines) == 2 * 2 * len(rows)
    line = next(line for line in lines if (line["explainer"], line["ablation"]) == ("gen", "zero"))
    assert float(line["fidelity"]) == rows["gen"]["curve"][0]["fidelity"]
    table = (tmp_path / "table.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in table[2:5]] == list(rows)
    assert f"{rows['gen']['natural']['density']:.3f}: " in table[3]
    for row in rows.values():
        point, searched = row["curve"][0], row["curve"][0]["mdc_searched"]
        # The explainers that search saw no other images.
        assert row["num_images"] == 24 or searched == pytest.approx(point["mdc"])
    # One colour per explainer, and one per batch size.
    assert series_in(tmp_path / "curves.png") == [0, 1, 2]
    assert series_in(tmp_path / "times.png") == [0, 1]


def test_the_figures_are_those_of_the_explainer_on_these_images(files, options):
    rows = comparison.run_comparison(options(images=16, explainers=("taylor_signed",), densities=(0.3,)))

    target = targets.resnet8(image_size=8, channels=1)
    params = targets.load_weights(target, files / "weights.safetensors")
    images = drawn(16)
    apply = jax.jit(target.apply)
    clean = apply(params, images).logits.argmax(axis=1)
    explain = explainers.make_explainer("taylor_signed", target, density=0.3)
    pathway = jax.jit(explain)(params, images, clean, key=jax.random.key(0))
    masked = apply(params, images, pathway.masks).logits.argmax(axis=1)
    fidelity = rows["taylor_signed"]["curve"][0]["fidelity"]
    assert fidelity == pytest.approx(float(np.mean(clean == masked)))


@pytest.fixture
def scored(monkeypatch):
    """Names of the explainers that were scored; after "stop" the second one is stopped."""
    names, real = [], comparing.score

    def score(entry, sets, options):
        if names[:1] == ["stop"] and len(names) > 1:
            raise KeyboardInterrupt
        names.append(entry.name)
        return real(entry, sets, options)

    monkeypatch.setattr(comparing, "score", score)
    return names


def test_a_comparison_that_was_stopped_goes_on_after_the_last_explainer(
    options, generators, scored, tmp_path
):
    how = {"images": 12, "densities": (0.3,), "explainers": ("taylor", "random"), "trial_images": 4}
    how |= {"generators": generators[:1], "refine_steps": 0, "ablation": "both"}
    scored.append("stop")
    with pytest.raises(KeyboardInterrupt):
        comparison.run_comparison(options(**how))
    assert scored == ["stop", "taylor"] and len(list((tmp_path / "unfinished").iterdir())) == 1

    scored.clear()
    rows = comparison.run_comparison(options(**how))
    assert scored == ["random", "gen"] and not (tmp_path / "unfinished").exists()
    # NaN, as of a selectivity of a few images, equals itself as text.
    whole = comparison.run_comparison(options(**how, out=tmp_path / "whole"))
    assert scored == ["random", "gen", "taylor", "random", "gen"]
    assert repr(rows) == repr(whole)


def test_scores_are_those_of_the_same_options_files_parameters_and_images(
    files, options, generators, tmp_path
):
    target = targets.resnet8(image_size=8, channels=1)
    params = targets.load_weights(target, files / "weights.safetensors")
    session = metrics.Session(target, params, devices.make_mesh(), 16)
    digits = data.digits("test")

    def key(*, images=digits.images[:20], session=session, references=None, identity="a", **changes):
        source, run = data.ArraySource(images, digits.labels[:20]), runs.Run(tmp_path)
        how = options(**changes)
        return keeping.keep_scores(session, source, how, references, identity=identity, run=run).key

    other = jax.tree.map(lambda leaf: leaf + 1, params)
    images = digits.images[:20].copy()
    images[19, 7, 7] ^= 1
    means = {"stem": np.zeros(16, np.float32)}
    pictures = fills.References(images[:2], np.arange(2), {}, means)
    changed = pictures._replace(means={"stem": np.ones(16, np.float32)})
    box = tmp_path / "boxes.csv"
    box.write_text("a")
    keys = [
        *(key(), key(images=images), key(session=session._replace(params=other)), key(identity="b")),
        *(key(references=pictures), key(references=changed), key(seed=1), key(densities=(0.3,))),
        *(key(generators=generators[:1]), key(generators=generators[1:]), key(boxes=box)),
    ]
    box.write_text("b")
    assert len({*keys, key(boxes=box)}) == 12
    assert key() == keys[0] == key(out=tmp_path / "elsewhere")
    # The program of a classifier that nobody has named may have changed.
    assert key(identity="") == ""


def drawn(count):
    """The test digits that a comparison of so many draws."""
    digits = data.digits("test")
    return digits.images[data.draw_places(len(digits), count, seed=0)]


def balance(target, params, count):
    """Biases under which an untrained network predicts several classes of the drawn digits."""
    images = drawn(count)
    params["params"]["linear"]["bias"] -= target.apply(params, images).logits.mean(axis=0)


@pytest.fixture
def balanced(files, tmp_path):
    """A file of such weights."""
    target = targets.resnet8(image_size=8, channels=1)
    params = targets.load_weights(target, files / "weights.safetensors")
    balance(target, params, 40)
    targets.save_weights(target, params, tmp_path / "balanced.safetensors")
    return str(tmp_path / "balanced.safetensors")


@pytest.mark.slow
def test_pathways_of_some_images_are_tried_on_each_other(options, balanced):
    shared = {"images": 40, "densities": (0.5,), "weights": balanced, "search_images": 40}
    shared |= {"explainers": ("taylor_signed",), "ablation": "both"}
    (whole,) = comparison.run_comparison(options(**shared)).values()
    (some,) = comparison.run_comparison(options(**shared, trial_images=12)).values()
    # Of the twelve drawn from the forty alone.
    alone = options(**shared)
    source = comparison.open_images(alone)
    net = comparison.open_classifier(alone, source)
    part = data.draw(source, 12, seed=0)
    run = runs.Run(alone.out / "alone")
    (few,) = comparison.compare_explainers(net, part, alone, run=run).values()
    assert (whole["num_tried"], some["num_tried"], few["num_tried"]) == (40, 12, 12)
    (whole,), (some,), (few,) = (row["curve"] for row in (whole, some, few))
    own = ("fidelity", "fidelity_low", "mdc", "mic", "aciou", "between_iou", "mdc_searched")
    assert {name: some[name] for name in own} == {name: whole[name] for name in own}
    tried = ("leakage", "retention", "blank_acceptance", "same_class_acceptance", "connected", "selectivity")
    assert {name: some[name] for name in tried} == {name: few[name] for name in tried}
    assert some["ablations"]["zero"] == few["ablations"]["zero"]


@pytest.mark.slow
def test_all_ablations_score_the_same_pathways(options, balanced):
    shared = {"images": 40, "densities": (0.5,), "weights": balanced, "search_images": 4}
    shared["explainers"] = ("taylor_signed", "random")
    whole = comparison.run_comparison(options(**shared, ablation="all"))
    for ablation in ("zero", "mean", "interchange"):
        alone = comparison.run_comparison(options(**shared, ablation=ablation, out=options().out / ablation))
        for name, row in whole.items():
            (point,), (single,) = row["curve"], alone[name]["curve"]
            assert list(single["ablations"]) == [ablation]
            for key, value in single["ablations"][ablation].items():
                assert point["ablations"][ablation][key] == pytest.approx(value, abs=1e-5), (name, key)
            asked = ("fidelity", "leakage", "blank_acceptance", "same_class_acceptance", "selectivity")
            for key in (*asked, "connected"):
                low, high = (single["ablations"][ablation][f"{key}_{end}"] for end in ("low", "high"))
                assert low <= single["ablations"][ablation][key] <= high
                assert single[key] == single["ablations"][ablation][key]
            assert single["worst_fidelity"] == single["fidelity"]
            assert single["density"] == point["density"] == 0.5
    for row in whole.values():
        (point,) = row["curve"]
        assert point["worst_fidelity"] == min(p["fidelity"] for p in point["ablations"].values())
    text = (options().out / "table.md").read_text()
    assert "Read every line beside the controls: random, taylor_signed." in text
    for ablation in ("zero", "mean", "interchange"):
        figures = whole["random"]["curve"][0]["ablations"][ablation]
        assert f"| random | 0.5 | {ablation} | {figures['fidelity']:.2f} [" in text
    with (options().out / "curves.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [(line["explainer"], line["ablation"]) for line in lines] == [
        (name, ablation)
        for name in ("taylor_signed", "random")
        for ablation in ("zero", "mean", "interchange")
    ]
    assert float(lines[1]["leakage"]) == whole["taylor_signed"]["curve"][0]["ablations"]["mean"]["leakage"]


def test_references_may_be_of_another_split(options, balanced):
    shared = {"images": 12, "densities": (0.5,), "weights": balanced, "explainers": ("taylor_signed",)}
    asked = options(**shared, ablation="mean", references_split="train")
    result = comparison.run_comparison(asked)["taylor_signed"]["curve"][0]
    target = targets.resnet8(image_size=8, channels=1)
    params = targets.load_weights(target, balanced)
    session = runs.open_session(target, params, batch_size=8 * jax.device_count())
    train = metrics.site_means(session, metrics.source_passes(session, data.digits("train")))
    session = session._replace(fill=fills.Fill(train))
    passes = metrics.source_passes(session, data.draw(data.digits("test"), 12, seed=0))
    method = metrics.Method.of("taylor_signed", explainers.make_taylor_signed(target, density=0.5))
    (records,) = metrics.explain_at_densities(session, method, passes, densities=(0.5,))
    assert result["mdc"] == pytest.approx(
        metrics.mean_drop(records.clean_confidence, records.masked_confidence), rel=1e-3
    )


def test_a_network_of_one_class_has_no_interchange(options):
    with pytest.raises(InputError, match="all predicted as class"):
        comparison.run_comparison(options(images=8, explainers=("random",), ablation="interchange"))


def write_boxes(path, lines):
    path.write_text("\n".join(["path,width,height,x0,y0,x1,y1", *lines]))
    return path


def test_boxes_are_painted_over_what_the_target_sees(options, tmp_path):
    source = data.digits("test")
    names = [source.name(index) for index in range(3)]
    path = write_boxes(tmp_path / "boxes.csv", [f"{names[1]},16,16,2,4,8,16", f"{names[1]},16,16,14,0,40,2"])
    session = metrics.Session(targets.resnet8(image_size=8, channels=1), {}, devices.make_mesh(), 4)
    passes = metrics.source_passes(session, data.Subset(source, range(3)))
    boxes = boxes_of.read_boxes(path, data.Subset(source, range(3)), session.target.preprocessing)
    (batch,) = boxes_of.with_boxes(passes, boxes)()
    expected = np.zeros((4, 8, 8))
    expected[1, 2:8, 1:4] = 1
    expected[1, 0:1, 7:8] = 1
    np.testing.assert_array_equal(batch["region"], expected)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["nobody.png,8,8,0,0,4,4"], ("none of the 1 boxes", "digits")),
        (["a,8,8,0"], ("cannot be read as boxes", "y1")),
        (["a,wide,8,0,0,4,4"], ("cannot be read as boxes", "wide")),
    ],
)
def test_boxes_that_fit_nothing_are_one_sentence(tmp_path, lines, words):
    path = write_boxes(tmp_path / "boxes.csv", lines)
    target = targets.resnet8(image_size=8, channels=1)
    with pytest.raises(InputError) as error:
        boxes_of.read_boxes(path, data.digits("test"), target.preprocessing)
    assert all(word in str(error.value) for word in words)


@pytest.mark.slow
@pytest.mark.parametrize("ablation", ["zero", "all"])
def test_the_progress_bar_expects_the_batches_that_are_taken(options, generators, ablation):
    asked = options(
        ablation=ablation,
        images=20,
        search_images=3,
        explainers=("random",),
        generators=generators[:1],
        refine_steps=1,
        densities=(0.2, 0.5),
    )
    source = comparison.open_images(asked)
    target, params, *_ = comparison.open_classifier(asked, source)
    entries = comparison.make_entries(target, params, asked)
    balance(target, params, 20)
    taken = []

    def count(title, total, batches):
        for batch in batches:
            taken.append(title)
            yield batch

    session = runs.open_session(target, params, batch_size=jax.device_count())
    references = comparison.open_references(session, source, asked)
    watched = session._replace(watch=count)
    sets = comparison.make_image_sets(watched, source, asked, references=references)
    for entry in entries:
        taken.clear()
        comparison.score(entry, sets, asked)
        assert len(taken) == sets.num_batches(entry, num_densities=2), entry.name
    assert (sets.few.num_batches, sets.whole.num_batches) == (1, 3)


def test_the_last_batch_is_hardly_padded(options):
    devices = jax.device_count()
    asked = options(images=5 * devices, search_images=2 * devices, explainers=("random",), ablation="zero")
    source = comparison.open_images(asked)
    target, params, *_ = comparison.open_classifier(asked, source)
    session = runs.open_session(target, params, batch_size=4 * devices)
    sets = comparison.make_image_sets(session, source, asked)
    assert (sets.whole.session.batch_size, sets.whole.num_batches) == (3 * devices, 2)
    assert (sets.few.session.batch_size, sets.few.num_batches) == (2 * devices, 1)


def test_a_search_starts_from_the_first_generator_of_each_name(options, generators):
    asked = options(explainers=("random", "dgr"), generators=generators)
    target, params, *_ = comparison.open_classifier(asked, comparison.open_images(asked))
    entries = comparison.make_entries(target, params, asked)
    assert [entry.name for entry in entries] == ["random", "dgr", "gen", "gen", "gen, refined"]
    assert [entry.slow for entry in entries] == [False, True, False, False, True]
    assert [entry.natural is not None for entry in entries] == [False, False, True, True, False]
    assert entries[4].method.params is entries[2].method.params


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"generators": ("taylor:g.safetensors",)}, ("taylor:g.safetensors", "NAME:FILE")),
        ({"explainers": ("saliency",)}, ("saliency", "taylor_signed")),
        ({"granularity": "unit"}, ("gen", "--granularity channel")),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(options, generators, changes, words):
    asked = options(**{"explainers": (), "generators": generators, **changes})
    target, params, *_ = comparison.open_classifier(asked, comparison.open_images(asked))
    with pytest.raises(InputError) as error:
        comparison.make_entries(target, params, asked)
    assert all(word in str(error.value) for word in words)


def test_boxes_that_are_not_there_are_one_sentence(options, tmp_path):
    asked = options(explainers=("random",), images=8, densities=(0.5,), boxes=tmp_path / "boxes.csv")
    with pytest.raises(InputError, match=r"boxes.csv cannot be read as boxes"):
        comparison.run_comparison(asked)
