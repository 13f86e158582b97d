"""The notebook on similarity, of networks that not every measure is defined for."""

import pytest

from dianet_lab.studies.execute import run_study
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study
from tests.cells import run_cells

ARMS = {"tanh": {"model.attention.activation": "tanh"}, "static": {"model.attention.unit": "static"}}


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("arm", "said"),
    [("tanh", "KL and JS are not defined"), ("static", "vary over no image and have no centred measure")],
)
def test_a_run_without_distributions_or_an_answer_goes_through_the_notebook(arm, said, tiny):
    study = Study("s", tiny, arms={arm: ARMS[arm]}, seeds=[0], keep_weights=True)
    run_study(study, RunStore(), workers=1)
    record = run_cells("11", profile="smoke", run=study.config(arm, 0).run_id)
    assert any(said in paragraph for paragraph in record.what_we_see)
    assert len(record.figures) == 7 and "one network" in record.in_short[2]
