"""The notebook on similarity, of networks that not every measure is defined for."""

import pytest

from dianet_lab.reports.batch import run_reports
from dianet_lab.reports.record import ReportRecord, read_record
from dianet_lab.studies.execute import run_study
from dianet_lab.studies.store import RunStore
from dianet_lab.studies.study import Study

ARMS = {"tanh": {"model.attention.activation": "tanh"}, "static": {"model.attention.unit": "static"}}


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("arm", "said"),
    [("tanh", "KL and JS are not defined"), ("static", "vary over no image and have no centred measure")],
)
def test_a_run_without_distributions_or_an_answer_goes_through_the_notebook(arm, said, tiny, lab_home):
    study = Study("s", tiny, arms={arm: ARMS[arm]}, seeds=[0], keep_weights=True)
    run_study(study, RunStore(), workers=1)
    (outcome,) = run_reports(["11"], "smoke", {"run": study.config(arm, 0).run_id})
    assert outcome.status == "ok"
    record = read_record(lab_home / "results" / "smoke" / "11_similarity" / "report.json", ReportRecord)
    assert any(said in paragraph for paragraph in record.what_we_see)
    assert len(record.figures) == 7 and "one network" in record.in_short[2]
