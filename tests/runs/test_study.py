"""What a run works on: images to learn from and images to score."""

import pytest

from jaxpath import runs


@pytest.mark.parametrize("held_out", [{"eval_split": "test"}, {"eval_split": None, "eval_fraction": 0.2}])
def test_no_image_is_both_learned_from_and_scored(held_out):
    train, scored = runs.open_data(runs.DataOptions(data="digits", **held_out), seed=0)
    learned = {image["image"].tobytes() for image in map(train.__getitem__, range(len(train)))}
    assert len(train) + len(scored) == 1797
    assert learned.isdisjoint(scored[i]["image"].tobytes() for i in range(len(scored)))
