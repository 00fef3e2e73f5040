"""Examples on a workload's page: images as pictures, sequences and texts as text."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.image import imread

from harness.cli.site_samples import COUNT, beginning, picture, samples_of
from harness.plan.plan import PlanRequest, plan
from harness.providers.registry import workload
from scoring.site.material import Sample, WorkloadDetail
from tests.scoring.made_sites import material, results, site


def samples(name: str) -> tuple[Sample, ...]:
    (trial,) = plan(PlanRequest(name, "adamw", trials=1)).trials
    return samples_of(workload(name), trial)


def pixels(address: str) -> npt.NDArray[np.uint8]:
    content = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    return np.round(255 * imread(io.BytesIO(content))[..., :3]).astype(np.uint8)


def test_a_picture_holds_the_pixels() -> None:
    image = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    assert np.array_equal(pixels(picture(image)), image)


@pytest.mark.parametrize(("name", "side"), [("resnet", 16), ("mlp", 16)])
def test_generated_images_are_pictures_with_their_class(name: str, side: int) -> None:
    rows = samples(name)
    assert len(rows) == COUNT
    assert {pixels(sample.picture).shape for sample in rows} == {(side, side, 3)}
    assert all(0 <= int(sample.label) < 10 for sample in rows)


def test_sequences_are_text() -> None:
    first = samples("rnn")[0]
    assert first.label == "token ids"
    assert all(word.isdecimal() for word in first.text.split())


def test_a_text_begins_as_its_file_does(tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text("It begins so.")
    (sample,) = beginning((tmp_path / "corpus.txt",))
    assert (sample.text, sample.label) == ("It begins so.", "corpus.txt")
    assert beginning((tmp_path / "corpus.bin",)) == ()


def test_the_page_shows_them_and_escapes_what_is_text(tmp_path: Path) -> None:
    rows = (Sample(picture="data:image/png;base64,AA==", label="3"), Sample(text="<b>", label="x"))
    of = material(results(["adamw"], workloads=1, studies=1, trials=1))
    detail = WorkloadDetail("", {}, rows)
    page = site(tmp_path, replace(of, workloads={"quick/w0": detail})) / "w" / "w0.html"
    text = page.read_text()
    assert '<img src="data:image/png;base64,AA==" alt="an example of class 3">' in text
    assert "<pre>&lt;b&gt;</pre>" in text
