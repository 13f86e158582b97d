"""YAML files: what words mean in them, and how a refusal is explained."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dianet_lab.errors import ConfigError
from dianet_lab.strict_yaml import read_mapping, write_mapping

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)  # a key of YAML has 1,024 characters at most
awkward = st.sampled_from(["no", "1e-4", "1:30", "010", "0o7", "null", "~", "", "<<", "true", "=", "- a", "2020-01-01"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts | awkward,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | awkward, inner, max_size=3),
    max_leaves=8,
)
mappings = st.dictionaries(texts | awkward, values, max_size=4)


class TestWords:
    @pytest.mark.parametrize(
        ("written", "value"),
        [
            ("1e-4", 1e-4),
            ("1.5e3", 1500.0),
            ("-.5", -0.5),
            ("1.", 1.0),
            ("010", 10),
            ("+3", 3),
            ("1:30", "1:30"),
            ("no", "no"),
            ("off", "off"),
            ("none", "none"),
            ("true", True),
            ("2020-01-01", "2020-01-01"),
            ("", None),
            ("~", None),
            ("'1'", "1"),
        ],
    )
    def test_are_numbers_truth_values_or_text_as_in_yaml_1_2(self, written, value):
        found = read_mapping(f"key: {written}")["key"]
        assert found == value and type(found) is type(value)

    @pytest.mark.parametrize("key", ["1", "no", "true", "1e-4", "null", "2020-01-01"])
    def test_a_key_is_text_as_it_is_written(self, key):
        assert read_mapping(f"{key}: 3") == {key: 3}

    def test_a_mapping_may_be_merged_into_others(self):
        text = "common: &common {a: 1, b: 2}\nother: {<<: *common, b: 3}\nsame: *common"
        assert read_mapping(text)["other"] == {"a": 1, "b": 3}
        assert read_mapping(text)["same"] == {"a": 1, "b": 2}


class TestRoundTrip:
    @given(mappings)
    def test_what_is_written_reads_back(self, mapping):
        assert read_mapping(write_mapping(mapping)) == mapping

    @given(mappings)
    def test_other_readers_of_yaml_read_the_same(self, mapping):
        assert yaml.safe_load(write_mapping(mapping)) == mapping

    @given(mappings)
    def test_json_is_read(self, mapping):
        assert read_mapping(json.dumps(mapping, indent=1)) == mapping


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("a: 1\nb: 2\na: 3", ["line 3", "'a' is already there", "line 1"]),
            ("arms:\n  a: {x: 1}\n  b: {}\n  a: {x: 2}", ["line 4", "'a'", "line 2"]),
            ('{"a": 1, "a": 2}', ["'a' is already there"]),
            ("a: [1", ["line 1", "no YAML", "expected ',' or ']'"]),
            ("a: 1\nb: c: d", ["line 2", "mapping values are not allowed here"]),
            ("a: 1\n\tb: 2", ["line 2"]),
            ("a: 1\n---\nb: 2", ["line 2", "single document"]),
            ("? [1, 2]\n: 3", ["line 1", "expected text as a key"]),
            ("a: !!python/object/apply:os.getcwd []", ["line 1", "python/object"]),
            ("a: &a [*a]", ["line 1", "recursive"]),
            ("a: &a {b: *a}", ["line 1", "recursive"]),
            ("a: *b", ["line 1", "undefined alias 'b'"]),
            ("a: 1\nb: \x00", ["line 2", "#x00"]),
            ("a: " + "9" * 5000, ["can be read"]),
            ("a: " + "[" * 5000, ["nested too deeply"]),
            ("", ["expected a mapping", "nothing"]),
            ("- 1", ["expected a mapping", "list"]),
            ("word", ["expected a mapping", "'word'"]),
        ],
    )
    def test_names_the_line_and_what_is_wrong(self, text, says):
        with pytest.raises(ConfigError) as caught:
            read_mapping(text)
        for part in says:
            assert part in str(caught.value)

    @given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(":-{}[]&*!|>'\"\n #%@<?,")))
    def test_any_text_is_a_mapping_or_an_error_of_the_lab(self, text):
        try:
            assert isinstance(read_mapping(text), dict)
        except ConfigError as error:
            assert str(error)
