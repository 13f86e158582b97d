"""What is made of attributions: summaries against planted ones, and sentences that say no more than they allow."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from dianet_lab.analysis.attribution import Attributions, joined
from dianet_lab.analysis.attribution_summary import (
    agreement,
    between_seeds,
    by_layer,
    by_stage,
    class_map,
    class_maps,
    converged,
    convergence,
    measures,
    mistakes,
    rank_correlation,
    refused,
)
from dianet_lab.analysis.attribution_words import (
    convergence_sentence,
    explained_sentence,
    layers_sentence,
    seeds_sentence,
    spoken,
    trusted,
)
from dianet_lab.analysis.interval import with_interval
from dianet_lab.errors import LabError


def planted(sizes, name="DIA", seed=0, ablation=None, labels="ab"):
    """Attributions of images (rows) to three layers of two stages; every image is right."""
    sizes = np.asarray(sizes, float)
    ablation = sizes if ablation is None else np.asarray(ablation, float)
    places, layers, stages, images = [(0, 0), (0, 1), (1, 0)], [], [], []
    for image, (row, lost) in enumerate(zip(sizes, ablation, strict=True)):
        label = labels[image % len(labels)]
        about = {"image": image, "label": label, "predicted": label, "target": label, "name": name, "seed": seed}
        for (stage, block), a, b in zip(places, row, lost, strict=True):
            layers.append(about | {"stage": stage, "block": block, "attribution": a, "ablation": b})
        for stage, part in ((0, slice(0, 2)), (1, slice(2, 3))):
            stages.append(about | {"stage": stage, "attribution": row[part].sum(), "ablation": lost[part].sum()})
        explained = row.sum()
        images.append(about | {"explained": explained, "delta": 0.0, "relative": 0.0, "converged": True})
    return Attributions(*map(pd.DataFrame, (layers, stages, images)))


class TestSummaries:
    def test_sizes_are_means_without_sign_and_maps_have_the_sign(self):
        found = planted([[1, -2, 0], [-3, 2, 0]], labels="ab")
        assert list(by_layer(found.layers)["size"]) == [2, 2, 0]
        table = class_map(found.layers, ["a", "b", "c"])
        np.testing.assert_array_equal(table.loc["a"], [1, -2, 0])
        np.testing.assert_array_equal(table.loc["b"], [-3, 2, 0])
        assert table.loc["c"].isna().all()

    def test_measures_of_a_network(self):
        row = measures(planted([[3, -3, 0], [3, -3, 0]])).iloc[0]
        assert (row["explained"], row["total"], row["layers"], row["agreement"]) == (0, 6, 2, 1)
        assert (row["arm"], row["status"]) == ("DIA", "finished")

    def test_shares_of_stages(self):
        table = by_stage(planted([[1, -1, 2]])).set_index("stage")
        np.testing.assert_allclose(table["share"], [0.5, 0.5])
        np.testing.assert_allclose(table["attribution"], [0, 2])

    def test_agreement_ranks_within_each_image(self):
        found = planted([[1, 2, 3], [1, 2, 3], [0, 0, 0]], ablation=[[10, 20, 900], [3, 2, 1], [0, 0, 0]])
        assert agreement(found.layers)["agreement"].round(6).tolist()[:2] == [1, -1]
        assert np.isnan(agreement(found.layers)["agreement"][2])

    def test_rank_correlation_is_spearmans(self):
        one, other = np.random.default_rng(0).integers(0, 5, (2, 6, 9)).astype(float)
        expected = [spearmanr(a, b)[0] for a, b in zip(one, other, strict=True)]
        np.testing.assert_allclose(rank_correlation(one, other), expected)

    def test_seeds_that_use_the_same_layers_are_told_from_those_that_do_not(self):
        same = joined([planted([[1, 2, 3], [3, 1, 2]], seed=seed) for seed in range(3)])
        row = between_seeds(same.layers, ["a", "b"]).iloc[0]
        assert (row["pairs"], round(row["layers"], 6), round(row["map"], 6)) == (3, 1, 1)
        swapped = joined([same, planted([[3, 1, 2], [1, 2, 3]], seed=9)])  # the classes' roles are exchanged
        row = between_seeds(swapped.layers, ["a", "b"]).iloc[0]
        assert round(row["map, lowest"], 6) == -1 and round(row["layers"], 6) == 1

    def test_one_seed_has_no_pair(self):
        row = between_seeds(planted([[1, 2, 3]]).layers, ["a"]).iloc[0]
        assert row["pairs"] == 0 and np.isnan(row["map"])

    def test_mistakes_compare_the_two_classes_of_the_same_images(self):
        right, wrong = planted([[1, 1, 1]]), planted([[1, 1, 2]])
        frames = []
        for frame in wrong:
            frame = frame.assign(image=7, predicted="z")
            other = frame.assign(target="z")
            if "attribution" in frame:
                other["attribution"] = 10.0
            frames.append(pd.concat([frame, other]))
        table = mistakes(joined([right, Attributions(*frames)])).set_index("stage")
        assert table["images"].tolist() == [1, 1]
        assert table["to its own class"].tolist() == [2, 2] and table["to the predicted class"].tolist() == [10, 10]
        assert mistakes(right).empty

    def test_maps_are_those_of_the_first_seed(self):
        found = joined([planted([[9, 9, 9]], seed=4), planted([[1, 2, 3]], seed=1), planted([[5, 5, 5]], name="x")])
        maps = class_maps(found.layers, ["DIA", "not there", "x"], ["a"])
        assert list(maps) == ["DIA", "x"] and maps["DIA"].loc["a"].tolist() == [1, 2, 3]

    def test_told_has_an_interval_only_over_several_networks(self):
        assert with_interval([0.5]) == "0.50" and with_interval([]) == "unknown"
        assert with_interval([0.4, 0.5, 0.6]) == "0.50 [0.25, 0.75]"


class TestConvergence:
    @pytest.fixture
    def half(self):
        """Of DIA every second image fails, of SE none does."""
        dia, se = planted([[1, 2, 3]] * 4), planted([[1, 2, 3]] * 4, name="SE shared")
        bad = dia.images.assign(delta=[0, 3, 0, 3], relative=[0, 0.5, 0, 0.5], converged=[True, False, True, False])
        return joined([dia._replace(images=bad), se])

    def test_what_does_not_add_up_is_left_out_and_the_name_is_refused(self, half):
        kept = converged(half)
        assert set(kept.layers.query("name == 'DIA'")["image"]) == {0, 2}
        assert len(kept.layers) == 3 * 6 and len(kept.stages) == 2 * 6
        assert refused(half.images) == ["DIA"]
        said = convergence_sentence(half.images)
        assert "75.0 % of 8 explanations" in said and "No statement about DIA" in said
        assert "No statement" not in convergence_sentence(planted([[1, 2, 3]]).images)

    def test_the_table_has_quantiles_of_the_relative_delta(self, half):
        table = convergence(half.images).set_index("name")
        assert table.loc["DIA", "converged (%)"] == 50 and table.loc["DIA", "largest"] == 0.5
        assert table.loc["SE shared", "|explained|"] == 6

    def test_where_nothing_converges_more_steps_are_asked_for(self, half):
        nothing = half._replace(images=half.images.assign(converged=False))
        with pytest.raises(LabError, match="take more steps"):
            converged(nothing)


class TestSentences:
    @pytest.fixture
    def seeds(self):
        own = [planted([[1, 1, k + 1]], seed=k) for k in range(3)]
        return joined([*own, *(planted([[0, 0, 0]], name="untrained", seed=k) for k in range(3))])

    def test_what_is_explained_stands_beside_its_controls(self, seeds):
        said = explained_sentence(measures(seeds), "DIA", seeds.images)
        assert "by 4.00 [1.52, 6.48] logits; untrained 0.0000 [0.0000, 0.0000] (means over" in said
        assert "means over 3 networks" in said and "is open" not in said
        assert said.endswith("add up to 4.00 [1.52, 6.48] logits; untrained 0.0000 [0.0000, 0.0000].")
        assert "is open: the interval covers it" in explained_sentence(measures(seeds), "untrained", seeds.images)
        bad = seeds.images.assign(converged=False)
        assert explained_sentence(measures(seeds), "DIA", bad).startswith("No statement about DIA")

    def test_of_a_control_whose_attributions_do_not_add_up_no_number_is_told(self, seeds):
        images = seeds.images.assign(converged=seeds.images["name"] == "DIA")
        said = explained_sentence(measures(seeds), "DIA", images)
        assert "by 4.00 [1.52, 6.48] logits (means over" in said and "untrained" not in said
        assert set(trusted(measures(seeds), images)["arm"]) == {"DIA"}
        of_own = images.assign(converged=False)
        assert layers_sentence(trusted(measures(seeds), of_own), by_stage(seeds), "DIA", 3) == ""
        between = between_seeds(seeds.layers, ["a", "b"])
        assert seeds_sentence(trusted(between, of_own, "name"), "DIA") == ""

    def test_shares_and_agreement(self, seeds):
        said = layers_sentence(measures(seeds), by_stage(seeds), "DIA", 3)
        assert "stage 0 52 [19, 86] % and stage 1 48 [14, 81] %" in said and "of 3 layers;" in said
        trained = joined([planted([[1, 1, 2]]), planted([[1, 1, 1]], name="untrained")])
        said = layers_sentence(measures(trained), by_stage(trained), "DIA", 3)
        assert "of 3 layers (those of the untrained network as over 3.0);" in said

    def test_one_network_has_no_interval_and_no_other_seed(self):
        alone = planted([[1, 1, 2]])
        assert "(one network, no interval)" in layers_sentence(measures(alone), by_stage(alone), "DIA", 3)
        assert "can't be told" in seeds_sentence(between_seeds(alone.layers, ["a", "b"]), "DIA")

    def test_seeds_are_counted_in_pairs(self, seeds):
        said = seeds_sentence(between_seeds(seeds.layers, ["a", "b"]), "DIA")
        assert said.startswith(
            "Between two seeds of DIA (3 pairs), the sizes of the layers' attributions correlate by "
        )
        assert "untrained" not in said
        controls = [planted([[1, 2, k + 1]], name="untrained", seed=k) for k in range(3)]
        both = joined([seeds._replace(layers=seeds.layers[seeds.layers["name"] == "DIA"]), *controls])
        assert "; untrained " in seeds_sentence(between_seeds(both.layers, ["a", "b"]), "DIA")

    def test_a_table_of_intervals_has_a_row_a_group(self, seeds):
        table = spoken(measures(seeds), ["arm"], {"explained": 1})
        assert table.to_dict("records")[0] == {"arm": "DIA", "explained": "4.0 [1.5, 6.5]"}
