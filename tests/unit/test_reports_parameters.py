"""Parameters reach a notebook as what they are, or the batch does not start."""

from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from papermill.translators import PythonTranslator

from dianet_lab.errors import ConfigError
from dianet_lab.reports.parameters import check_batch, read_parameters
from dianet_lab.reports.values import plain

CELL = """
# What may be changed.
profile: str = "quick"  # scale: smoke, quick, digits
epochs: int | None = None  # epochs of a run; the profile's own if None
lr: float = 0.1
augment: bool = True  # random crop
unit: str | None = None
reductions: list[int] = [1, 2,
                         4]  # a bottleneck each
activation: Literal["sigmoid", "tanh"] = "sigmoid"
size = 100
"""


@pytest.fixture
def notebook(tmp_path) -> Path:
    return write(tmp_path / "01_sharing.ipynb", CELL)


def write(path: Path, source: str, tags=("parameters",)) -> Path:
    cells = [nbformat.v4.new_code_cell("x = 1"), nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)})]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_the_tagged_cell_declares_names_types_and_help(notebook):
    described = {name: (p.type_text, p.help) for name, p in read_parameters(notebook).items()}
    assert described["profile"] == ("str", "scale: smoke, quick, digits")
    assert described["epochs"] == ("int | None", "epochs of a run; the profile's own if None")
    assert described["reductions"] == ("list[int]", "a bottleneck each")
    assert described["size"] == ("int", "")
    assert "x" not in described


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "5", 5),
        ("epochs", "None", None),
        ("epochs", "null", None),
        ("lr", "1e-3", 0.001),
        ("lr", "1", 1.0),
        ("augment", "false", False),
        ("augment", "False", False),
        ("profile", "5", "5"),
        ("profile", "None", "None"),
        ("unit", "none", "none"),
        ("unit", "None", None),
        ("reductions", "[1, 8]", [1, 8]),
        ("activation", "tanh", "tanh"),
        ("size", "40", 40),
    ],
)
def test_text_of_a_command_line_becomes_the_declared_type(notebook, name, text, value):
    checked = check_batch([notebook], {name: text})[notebook][name]
    assert checked == value and type(checked) is type(value)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("epochs", "five"),
        ("epochs", 2.5),
        ("epochs", True),
        ("epochs", "12:30"),
        ("augment", 1),
        ("lr", "fast"),
        ("profile", 3),
        ("reductions", [1, "x"]),
        ("reductions", "4"),
        ("activation", "relu"),
    ],
)
def test_a_wrong_value_names_parameter_value_and_type(notebook, name, wrong):
    with pytest.raises(ConfigError) as refusal:
        check_batch([notebook], {name: wrong})
    assert f"parameter {name}: got {wrong!r}, expected" in str(refusal.value)


def test_an_unknown_name_lists_what_there_is_and_the_closest(notebook):
    with pytest.raises(ConfigError, match=r"unknown parameter 'epoch' \(did you mean 'epochs'\?\)") as refusal:
        check_batch([notebook], {"epoch": 3})
    assert "epochs: int | None  (epochs of a run; the profile's own if None)" in str(refusal.value)


@pytest.mark.parametrize("name", ["x=1;print('INJECTED')#", "epochs\nimport os", "__import__('os')", "", "epochs "])
def test_a_name_is_code_in_papermill_so_only_declared_ones_pass(notebook, name):
    with pytest.raises(ConfigError, match="unknown parameter"):
        check_batch([notebook], {name: 1})


def test_an_annotation_is_never_run_as_code(tmp_path):
    notebook = write(tmp_path / "evil.ipynb", "x: __import__('os').mkdir('owned') = 1")
    with pytest.raises(ConfigError, match="can't be read"):
        read_parameters(notebook)
    assert not Path("owned").exists()


def test_in_a_batch_a_name_must_be_known_to_one_notebook_and_goes_only_to_those_that_have_it(notebook, tmp_path):
    other = write(tmp_path / "02_other.ipynb", 'profile: str = "quick"')
    checked = check_batch([notebook, other], {"profile": "smoke", "epochs": 3})
    assert checked == {notebook: {"profile": "smoke", "epochs": 3}, other: {"profile": "smoke"}}
    with pytest.raises(ConfigError, match="01_sharing, 02_other has"):
        check_batch([notebook, other], {"width": 3})


def test_a_notebook_without_a_tagged_cell_has_no_parameters(tmp_path):
    assert read_parameters(write(tmp_path / "plain.ipynb", CELL, tags=())) == {}


def test_a_file_that_is_no_notebook_is_named(tmp_path):
    (tmp_path / "broken.ipynb").write_text("{")
    with pytest.raises(ConfigError, match=r"broken\.ipynb"):
        read_parameters(tmp_path / "broken.ipynb")


@pytest.mark.parametrize(
    ("foreign", "value"),
    [
        (np.int64(5), 5),
        (np.float32(0.5), 0.5),
        (np.False_, False),
        (np.str_("a"), "a"),
        (np.arange(3), [0, 1, 2]),
        (pd.Series([1.5]), [1.5]),
        (Path("a") / 'b"c', 'a/b"c'),
        ((1, (2, 3)), [1, [2, 3]]),
        ({"a": (np.int8(1),)}, {"a": [1]}),
    ],
)
def test_foreign_values_become_pure_python(foreign, value):
    assert plain(foreign) == value and type(plain(foreign)) is type(value)


@pytest.mark.parametrize("value", [object(), {1: 2}, pd.NA, pd.Timestamp(0), b"x"])
def test_what_has_no_plain_form_is_refused(value):
    with pytest.raises(ConfigError, match="expected a number, text"):
        plain(value)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_plain_values_pass_through_papermill_unchanged(value):
    scope = {}
    exec(PythonTranslator.codify({"x": plain(value)}), scope)
    assert scope["x"] == value and repr(scope["x"]) == repr(value)
