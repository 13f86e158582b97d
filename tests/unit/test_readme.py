"""The README's Python works as it stands, and its links lead somewhere."""

import itertools
import re
from pathlib import Path

import pandas as pd
import pytest
import torch

from dianet_lab import AttentionConfig, ModelConfig, build_model
from dianet_lab.analysis.published import agreement_sentence, compare_counts
from dianet_lab.attention.registry import UNITS, unit_class
from dianet_lab.initial import initialise
from dianet_lab.models import count_parameters
from dianet_lab.profiles import PROFILES
from dianet_lab.studies.catalog import get_study
from dianet_lab.studies.rates import tuning_study

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def block_with(text: str) -> str:
    """The block of Python that has ``text`` in it."""
    return next(block for block in BLOCKS if text in block)


def run(block: str) -> dict:
    names: dict = {}
    exec(block, names)
    return names


def test_the_model_has_the_parameters_that_the_comment_says():
    assert count_parameters(run(block_with("build_model("))["model"]) == 1_946_132


START_ROWS = re.findall(r"^\| (`[^|]*`) \| [^|]* \| ([\d.]+) \| ([\d.]+) to ([\d.]+) \|$", TEXT, re.MULTILINE)
STARTS = {unit: tuple(map(float, row[1:])) for row in START_ROWS for unit in re.findall("`(\\w+)`", row[0])}


def test_every_unit_of_the_table_is_one():
    assert len(STARTS) > 10 and STARTS.keys() <= UNITS.keys()


@pytest.mark.parametrize("unit", STARTS)
def test_a_fresh_gate_has_the_mean_and_range_of_the_table(unit):
    """The range holds for every width, and is no wider than twice what is seen."""
    mean, low, high = STARTS[unit]
    seen = []
    for channels, seed in itertools.product((16, 64, 256), range(3)):
        made = unit_class(unit)(channels).train()
        initialise(made, seed)
        branch = torch.randn(32, channels, 8, 8, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            gate, _ = made(branch)
        assert gate.mean().item() == pytest.approx(mean, abs=0.035)
        seen += [gate.min().item(), gate.max().item()]
    assert low - 0.005 <= min(seen) and max(seen) <= high + 0.005
    assert high - low <= 2 * (max(seen) - min(seen)) + 0.005


def test_the_users_network_is_given_back():
    names = run(block_with("detach_attention"))
    expected = names["torchvision"].models.resnet18(weights=None).state_dict()
    assert list(names["model"].state_dict()) == list(expected)


def test_the_study_is_one(monkeypatch, tmp_path):
    frames = []
    monkeypatch.setattr("dianet_lab.studies.execute.run_study", lambda study: frames.append(study))
    monkeypatch.setattr("dianet_lab.analysis.statistics.summarise", lambda frame: None)
    monkeypatch.setattr("dianet_lab.analysis.statistics.effects", lambda frame, contrasts: None)
    run(block_with("Study("))
    assert len(frames[0].configs()) == 12


def test_the_unit_needs_only_its_line_in_the_registry(monkeypatch):
    monkeypatch.setitem(UNITS, "one", run(block_with("class OneGate"))["OneGate"])
    config = ModelConfig(depth=8, width=4, attention=AttentionConfig(unit="one", sharing="none"))
    model = build_model(config, in_channels=1)
    model(torch.rand(2, 1, 8, 8)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_the_report_trains_as_many_networks_as_it_says():
    numbers = re.search(r"dianet-lab report ([\d ]+) --profile quick", (ROOT / "Makefile").read_text())[1].split()
    notebooks = [next((ROOT / "notebooks").glob(f"{number}_*")).read_text() for number in numbers]
    asked = {name for text in notebooks for name in re.findall(r'get_study\(\\"(\w+)', text)}
    studies = [get_study(name, "quick") for name in asked]
    ids = {config.run_id for study in studies for _, config in study.configs()}
    tuned = [study for study in studies if study.tuning]
    trials = {config.run_id for study in tuned for _, config in tuning_study(study).configs()} - ids
    own = {(arm, seed) for study in tuned for arm in study.tuning.arms for seed in study.seeds_of(arm)}
    assert f"trains {len(ids)} small networks" in TEXT
    assert f"up to {len(trials) + len(own)} more" in " ".join(TEXT.split())


@pytest.mark.parametrize(
    ("folder", "contrast", "where"),
    [
        ("digits/01_sharing", "DIA - plain", "6.3 points above plain [+4.9, +7.7]"),
        ("digits/01_sharing", "plain, gain 0.25 - plain", "6.9 [+5.2, +8.5]"),
        ("cifar10/04_cell", "DIA - plain", "1.7 points above plain [+1.0, +2.5]"),
        ("cifar10/04_cell", "DIA - best of plain and its starts", "−0.4 [−1.3, +0.5]"),
    ],
)
def test_numbers_of_results_are_those_of_the_committed_tables(folder, contrast, where):
    row = pd.read_csv(ROOT / f"results/{folder}/tables/contrasts.csv").set_index("contrast").loc[contrast]
    low, high = row["points"] - row["±"], row["points"] + row["±"]
    told = [float(number.replace("−", "-")) for number in re.findall(r"[−+]?\d+\.\d", where)]
    assert told == [round(value, 1) for value in (row["points"], low, high)]
    assert where in " ".join(TEXT.split())


def test_the_profiles_are_those_that_there_are():
    rows = re.findall(r"^\| `(\w+)` \| .* \| (\d+) \|", TEXT, re.MULTILINE)
    assert {name: int(seeds) for name, seeds in rows} == {name: profile.seeds for name, profile in PROFILES.items()}


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", TEXT))))
def test_links_lead_somewhere(link):
    assert link.startswith("https://") or (ROOT / link).exists()


def test_the_counts_agree_as_it_says():
    said = agreement_sentence(compare_counts()).removeprefix("Of ").removesuffix(".")
    assert said in " ".join(TEXT.split())


def test_the_figures_of_reliability_are_those_that_were_measured():
    measured = (ROOT / "results" / "reliability.md").read_text()
    quoted = re.search(r"\| tried \| measured \|\n.*?\n\n", TEXT, re.DOTALL)[0]
    figures = re.findall(r"\d[\d,.]*(?:/\d[\d,]*| %| s\b| MB\b)", quoted)
    assert len(figures) >= 8
    assert all(figure in measured for figure in figures), [figure for figure in figures if figure not in measured]


def test_the_look_inside_shows_what_it_says(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = run(block_with("save_recording("))
    assert set(names["trace"].array("f", 0).dims) == {"image", "block", "channel"}
    assert (names["changed"].array("gate", 2)[:, 0] == 0.25).all()
    assert (names["changed"].array("c", 1)[:, 2] == 0).all()
    assert names["load_recording"]("gates.zip")[0].sizes["image"] == 1000
