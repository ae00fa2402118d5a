"""PSI and KS by hand, what chance gives, and the drift that a gate tells."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import chi2, ks_2samp

from curation.drift import categorical, ks, ks_by_chance, numeric, psi, psi_by_chance
from curation.gates import Beside, enforce, run_gate
from curation.gates.drifts import NOTHING_YET, Earlier
from curation.stage import Context
from curation.store import write_table
from schemas import expectations
from schemas.errors import GateError
from schemas.profile.gates import DriftLimits, Gates, Shares
from schemas.profile.preference import Preference
from tests.gates.tables import pair_frame, table, tables
from tests.gates.test_gates import committed
from tests.gates.test_pairs import BOTH, SCORED
from tests.helpers import rows


def test_psi_is_the_sum_over_bins_of_the_difference_times_the_log_of_the_ratio():
    # Half a row more in each bin: shares 7.5/16 and 8.5/16 against 3.5/16 and 12.5/16.
    by_hand = (3.5 - 7.5) / 16 * math.log(3.5 / 7.5) + (12.5 - 8.5) / 16 * math.log(12.5 / 8.5)
    assert psi([7, 8], [3, 12]) == pytest.approx(by_hand)
    assert psi([3, 12], [7, 8]) == pytest.approx(by_hand)
    assert psi([7, 8], [14, 16]) == pytest.approx(0.0, abs=1e-3)


def test_an_empty_bin_is_no_infinite_drift_and_nothing_is_no_drift():
    # 10.5/11 and 0.5/11 the other way round: twice 10/11 * ln(21).
    assert psi([10, 0], [0, 10]) == pytest.approx(2 * 10 / 11 * math.log(21))
    assert psi([0, 0], [5, 5]) == 0.0
    assert psi([5, 5, 0], [9, 1, 0]) == psi([5, 5], [9, 1])
    with pytest.raises(ValueError, match="1 bins against 2"):
        psi([1], [1, 2])


@pytest.mark.parametrize("bins", [2, 3, 6, 10])
def test_psi_by_chance_is_the_quantile_of_its_distribution(bins: int):
    assert psi_by_chance(1_000, 500, bins) == pytest.approx(chi2.ppf(0.95, bins - 1) * (1 / 1_000 + 1 / 500), rel=0.03)
    assert psi_by_chance(1_000, 500, 1) == psi_by_chance(0, 5, 3) == 0.0


def test_psi_of_one_distribution_exceeds_chance_in_about_one_case_of_twenty():
    random = np.random.default_rng(0)
    found = [numeric(*random.normal(size=(2, 300))) for _ in range(200)]
    # 5 % of 200 is 10; four deviations are 12.
    assert 1 <= sum(one.psi > one.psi_by_chance for one in found) <= 22
    assert {one.level for one in found} <= {"none", "moderate"}


def test_ks_is_that_of_scipy():
    random = np.random.default_rng(1)
    for size in (1, 7, 200):
        first, second = random.integers(0, 9, size), random.integers(2, 12, 50)
        assert ks(first, second) == pytest.approx(ks_2samp(first, second).statistic)
    assert ks([1, 2, 3, 4], [3, 4, 5, 6]) == 0.5
    assert ks([], [1.0]) == 0.0
    assert ks_by_chance(100, 100) == pytest.approx(1.3581 * math.sqrt(2 / 100), rel=1e-4)


def test_numbers_are_binned_by_the_quantiles_of_the_earlier_sample():
    drift = numeric(list(range(100)), [*range(90, 100)] * 10)
    # All of the later sample is in the last of ten bins, which had a tenth.
    assert (drift.moved_most, drift.share_expected, drift.share_actual) == ("89.1..inf", 0.1, 1.0)
    assert (drift.expected, drift.actual, drift.ks, drift.level) == (100, 100, 0.9, "large")
    assert numeric([1.0, math.nan], [1.0]).expected == 1
    same = numeric([5.0] * 40, [5.0] * 10)
    assert (same.psi, same.ks, same.moved_most, same.level) == (0.0, 0.0, None, "none")


def test_a_value_that_fills_several_bins_has_one_of_its_own():
    # Bins under 5, of 5 and over 5; half a row more in the two that are used: 40.5/41 and 0.5/41 against the reverse.
    drift = numeric([5.0] * 40, [7.0] * 40)
    assert drift.psi == pytest.approx(2 * 40 / 41 * math.log(81))
    assert drift.moved_most in ("5..5", "5..inf")


def test_categories_that_are_new_or_gone_count():
    drift = categorical({"en": 90, "de": 10}, {"en": 50, "ko": 50})
    shares = [(90.5, 50.5), (10.5, 0.5), (0.5, 50.5)]
    by_hand = sum((a - e) / 101.5 * math.log(a / e) for e, a in shares)
    assert drift.psi == pytest.approx(by_hand)
    assert (drift.moved_most, drift.share_expected, drift.share_actual) == ("ko", 0.0, 0.5)
    assert (drift.ks, drift.level, drift.as_dict()["level"]) == (None, "large", "large")


def test_small_samples_that_chance_explains_have_not_moved():
    drift = categorical({"en": 3, "ko": 1}, {"en": 1, "ko": 3})
    assert drift.psi > 0.25
    assert drift.level == "none"


GATES = Gates(shares=Shares(max_repeated_prompts=None), drift=DriftLimits(max_ks=0.5))


def conversations(count: int, answer: str, source: str) -> pl.DataFrame:
    turns = [[("user", f"question {at}"), ("assistant", f"{answer} {at:03d}")] for at in range(count)]
    return rows(*turns, source=source).with_columns(language=pl.lit("en"))


def published(tmp_path: Path, name: str, frame: pl.DataFrame) -> Earlier:
    write_table(frame, tmp_path / "earlier.parquet")
    return Earlier("abcdef0123456789", {name: [tmp_path / "earlier.parquet"]})


def test_a_gate_tells_how_far_rows_are_from_the_last_published_version(tmp_path: Path):
    store, data = committed(tmp_path, conversations(100, "a much longer answer", "t"))
    earlier = published(tmp_path, "sft", conversations(80, "short", "s"))
    gate = run_gate(store, expectations.curated(GATES), [data], Context(), Beside(earlier=earlier))
    enforce(gate)  # warnings do not stop a run
    found = {r["name"]: r for r in gate.manifest.facts["results"] if not r["passed"]}
    assert list(found) == gate.manifest.facts["warnings"] == ["drift_length", "ks_length", "drift_source"]
    assert found["drift_source"]["severity"] == "warning"
    assert found["ks_length"]["observed"] == 1.0
    told = found["drift_source"]["detail"]
    assert "100 against 80 of the version abcdef012345" in told
    assert "most in s: 100.0% to 0.0%" in told
    # 0.5 of 100 and 80.5 of 81 against 100.5 of 101 and 0.5: the whole of the PSI less what chance gives.
    shares = [(80.5 / 81, 0.5 / 101), (0.5 / 81, 100.5 / 101)]
    whole = sum((a - e) * math.log(a / e) for e, a in shares)
    assert found["drift_source"]["observed"] == pytest.approx(whole - psi_by_chance(80, 100, 2))


def test_drift_stops_a_run_where_the_profile_says_so(tmp_path: Path):
    store, data = committed(tmp_path, conversations(100, "a much longer answer", "t"))
    beside = Beside(earlier=published(tmp_path, "sft", conversations(80, "short", "t")))
    gates = GATES.model_copy(update={"drift": DriftLimits(severity="critical")})
    with pytest.raises(GateError, match="drift_length: population stability index of lengths"):
        enforce(run_gate(store, expectations.curated(gates), [data], Context(), beside))


def test_nothing_published_yet_passes_and_says_so(tmp_path: Path):
    store, data = committed(tmp_path, conversations(3, "answer", "t"))
    gate = run_gate(store, expectations.curated(GATES), [data], Context())
    found = {r["name"]: (r["passed"], r["detail"]) for r in gate.manifest.facts["results"]}
    assert found["drift_length"] == (True, NOTHING_YET)
    # Another version to compare with is another result.
    beside = Beside(earlier=published(tmp_path, "sft", conversations(3, "answer", "t")))
    again = run_gate(store, expectations.curated(GATES), [data], Context(), beside)
    assert not again.reused
    assert {r["detail"] for r in again.manifest.facts["results"] if r["name"] == "drift_length"} != {NOTHING_YET}
    # It is none to a suite that asks for no drift.
    assert not run_gate(store, expectations.ingested(GATES), [data], Context()).reused
    assert run_gate(store, expectations.ingested(GATES), [data], Context(), beside).reused


def test_pairs_are_compared_by_rewards_and_lengths_of_both_answers(tmp_path: Path):
    made = tables(tmp_path, SCORED)
    pairs = pair_frame(SCORED, BOTH)
    done = made.store.commit("preference", {}, table(pairs))
    before = pairs.with_columns(pl.col("score_chosen", "score_rejected") + 100.0)
    beside = Beside(scored=made.beside.scored, rows=made.beside.rows, earlier=published(tmp_path, "preference", before))
    suite = expectations.pairs(Gates(drift=DriftLimits(max_ks=0.9)), Preference(min_margin=0.1))
    found = {r["name"]: r for r in run_gate(made.store, suite, [done], Context(), beside).manifest.facts["results"]}
    # Two pairs have four rewards on each side, none of them within the other's range.
    assert found["ks_reward"]["observed"] == 1.0
    assert "4 against 4" in found["ks_reward"]["detail"]
    assert (found["ks_reward"]["passed"], found["ks_length"]["observed"]) == (False, 0.0)


def test_what_is_compared_with_is_what_current_points_to(tmp_path: Path):
    from curation.gates.earlier import earlier
    from curation.publish.versions import dataset_folder, locked, point, write_version

    assert earlier(tmp_path, "t") is None

    def write(folder: Path) -> dict[str, int]:
        (folder / "sft").mkdir()
        write_table(conversations(2, "short", "t"), folder / "sft" / "train-00000-of-00001.parquet")
        return {"sft": 2}

    with locked(dataset_folder(tmp_path, "t")) as folder:
        version = write_version(folder, "20260101-000000-t-0000", write)
        point(folder, version.run)
    found = earlier(tmp_path, "t")
    assert found is not None
    assert found.digest == version.digest
    assert {name: len(parts) for name, parts in found.parts.items()} == {
        "sft": 1, "rejection_sampling": 0, "preference": 0,
    }  # fmt: skip
    store, data = committed(tmp_path, conversations(2, "short", "t"))
    gate = run_gate(store, expectations.curated(GATES), [data], Context(), Beside(earlier=found))
    told = {r["name"]: r["detail"] for r in gate.manifest.facts["results"]}
    assert "2 against 2 of the version" in told["drift_length"]
