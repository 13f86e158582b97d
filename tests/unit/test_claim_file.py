"""The file of claims: what stands in it, and how a mistake in one is explained."""

import re

import pytest

from dianet_lab.analysis.claim_file import FILE, NOT_VERIFIED, read_claims
from dianet_lab.analysis.computed import CHECKS
from dianet_lab.analysis.ledger import Setting, unmet
from dianet_lab.errors import ConfigError
from dianet_lab.profiles import get_profile
from dianet_lab.studies.catalog import get_study

CLAIMS = read_claims()

UNITS = ("SE", "ECA", "CBAM", "IE")
BACKBONES = ("ResNet", "PreResNet", "Wide ResNet", "ResNeXt")
CONTRASTS = {
    "sharing": [
        "DIA - best of plain and its starts", "sharing (main effect)", "DIA - SE per block", "memory (main effect)",
        "sharing x memory (interaction)", "SE shared - SE per block", "DIA - plain", "DIA - static per block",
        "DIA - per block, carried", "from block 3 - DIA",
    ],
    "cell": [
        "carried - clock", "clock - none", "carried - detached", "DIA - static per block",
        *(f"{arm} - DIA" for arm in ("no output gate", "no forget gate", "GRU", "RNN", "2 cells", "3 cells", "4 cells"))
    ],
    "activation": [
        "shape: sigmoid - tanh (main effect)", "start: 0.25 - near 0 (main effect)", "tanh - DIA", "relu - DIA",
    ],
    "reduction": ["trend per doubling of r", "no bottleneck - DIA"],
    "networks": [f"{name}: DIA - {arm}" for name in BACKBONES for arm in ("plain", "SE per block")],
    "units": [*(f"{unit} shared - {unit} per block" for unit in UNITS), "IE per block - DIA"],
    "depth": ["gain of DIA over plain: deepest - shallowest"],
    "recipe": ["gain of DIA, last epochs: official - strong", "best epoch - last epoch (plain)"],
    "stability": [
        "no norm: DIA - plain", "no skip: DIA - plain", "no augmentation: DIA - plain", "no norm: r=16 - plain",
    ],
}  # fmt: skip
"""Study -> the contrasts that a claim may name."""

_REMEMBERED = """
75.03 75.29 77.41 80.35 82.22
93.54 94.27 94.67 95.01 95.18 95.34 95.96 95.95 96.17 95.73 96.09 96.24
73.99 74.39 74.60 76.02 76.62 77.24 77.58 78.36 78.87 77.19 78.04 78.32
76.88 76.42 76.4 74.7 75.0 76.8 75.24 74.62 70.58 72.36 72.35
1.64 1.38 0.79 0.64 0.24 1.43 2.05
"""
REMEMBERED = _REMEMBERED.split()
"""Accuracies that nobody here has seen in a source (paper-facts, grades M, M+C and ?), and gains made from them."""


def setting(profile):
    return Setting.of(get_profile(profile).base, profile)


def entry(**changes):
    """A claim as YAML, with fields changed, added, or left out by None."""
    fields = {
        "claim": "It helps.", "source": "paper", "grade": "seen", "kind": "accuracy", "expects": "better",
        "preconditions": "{data: [cifar100]}", "study": "sharing", "contrast": "DIA - plain",
    } | changes  # fmt: skip
    return "\n".join(["# a comment", "gain:", *(f"  {name}: {value}" for name, value in fields.items() if value)])


class TestFile:
    @pytest.mark.parametrize("one", [c for c in CLAIMS if c.study], ids=lambda c: c.id)
    def test_a_claim_names_a_contrast_that_there_is(self, one):
        assert one.contrast in CONTRASTS[one.study]

    def test_a_computed_claim_names_a_check_and_every_check_is_named(self):
        assert {one.computed for one in CLAIMS if one.computed} == set(CHECKS)

    def test_no_remembered_number_stands_in_it(self):
        text = FILE.read_text()
        assert [n for n in REMEMBERED if re.search(rf"(?<![\d.]){re.escape(n)}(?!\.?\d)", text)] == []

    def test_what_is_remembered_is_told_in_words_and_marked(self):
        remembered = [one for one in CLAIMS if one.grade == "remembered"]
        assert len(remembered) > 5
        assert all(one.numbers is None and one.sureness == NOT_VERIFIED for one in remembered)

    def test_the_gains_are_the_differences_of_the_accuracies_beside_them(self):
        for one in CLAIMS:
            if found := re.match(r"([\d.]+) plain, ([\d.]+) DIANet, \+([\d.]+)", one.numbers or ""):
                plain, dia, gain = map(float, found.groups())
                assert dia - plain == pytest.approx(gain, abs=1e-6)

    def test_no_profile_of_digits_can_settle_what_was_claimed_of_accuracy_or_stability(self):
        for profile in ("smoke", "quick", "digits"):
            for one in CLAIMS:
                if one.study and (one.kind == "accuracy" or one.study == "stability"):
                    assert unmet(one.preconditions, setting(profile)), one.id

    def test_the_papers_profile_can_settle_the_papers_claims(self):
        here = setting("paper")
        blocked = [one.id for one in CLAIMS if one.study and unmet(one.preconditions, here)]
        assert blocked == ["pytorchcv-se-wins-narrow", "pytorchcv-no-gain-preresnet56", "pytorchcv-loses-on-cifar10"]

    def test_a_unit_for_each_block_can_never_support_that_layers_choose_operators(self):
        """It offers no choice of operators, so its contrast may only be told: it is not primary."""
        one = next(one for one in CLAIMS if one.id == "layers-want-their-own")
        found = [c for c in get_study(one.study, "paper").contrasts if c.name == one.contrast]
        assert [contrast.primary for contrast in found] == [False] and "none is chosen" in one.note

    def test_is_packaged(self):
        assert '"claims.yaml"' in (FILE.parents[1] / "pyproject.toml").read_text()


class TestReading:
    def test_keeps_the_order_and_takes_the_key_as_id(self):
        text = entry() + "\n" + entry(expects="worse").replace("gain:", "loss:")
        assert [(one.id, one.expects) for one in read_claims(text)] == [("gain", "better"), ("loss", "worse")]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (entry() + "\n" + entry(), r"claims.yaml, line 12: 'gain' is already there, in line 2"),
            ("gain: [", "claims.yaml, line 1: this is no YAML"),
            ("gain: 3", "claims.yaml, line 1, claim 'gain': got 3, expected its fields"),
            (entry(grade="guessed"), r"claims.yaml, line 2, claim 'gain': Claim.grade: got 'guessed', expected 'seen'"),
            (entry(expects="beter"), r"Claim.expects: got 'beter' \(did you mean 'better'\?\)"),
            (entry(sourc="x"), r"Claim.sourc: unknown field \(did you mean 'source'\?\)"),
            (entry(id="x"), "leave the field id out"),
            (entry(claim=None), "Claim.claim"),
            (entry(study=None), "expected study, contrast and expects, or computed in their place"),
            (entry(computed="x"), "Claim.computed: a computation settles it; leave study and contrast and expects out"),
            (entry(preconditions="3"), "preconditions: expected a mapping"),
            (entry(preconditions="{min_dept: 3}"), r"Preconditions.min_dept: unknown field \(did you mean 'min_depth'"),
            (entry(preconditions="{min_depth: '3'}"), "Preconditions.min_depth: got '3', expected a valid integer"),
            (entry(preconditions="{data: [cifar]}"), "Preconditions.data"),
            (entry(preconditions=None), "an accuracy was claimed for some data"),
            (entry(preconditions="{data: [digits]}"), "nothing about accuracy was claimed for digits"),
            (entry(grade="remembered", numbers="'1'"), "Claim.numbers: what is only remembered has no numbers"),
            (entry(grade="remembered", claim="It gains 1.5."), "Claim.claim: '1.5' is a remembered number"),
            (entry(grade="remembered", note="It gains 2 points."), "Claim.note: '2 points' is a remembered number"),
            (entry().replace("gain:", "The Gain:"), "Claim.id: got 'The Gain'"),
        ],
    )
    def test_explains_what_is_wrong_and_where(self, text, message):
        with pytest.raises(ConfigError, match=message):
            read_claims(text)
