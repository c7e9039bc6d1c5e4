from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from savant_reid.gallery import search as searching
from savant_reid.gallery.likelihood import MOST_NATS, fit
from savant_reid.gallery.run import open_run
from savant_reid.gallery.search import learn, reranked_scores, search
from tests.gallery.fake_run import CAMERAS, Looks, write_run


@pytest.fixture(scope="module")
def run(finished):
    return open_run(finished)


def query(run, person, camera=CAMERAS[0], seed=5):
    """A new picture of somebody; the people are those of the run, the noise is new."""
    looks = Looks()
    looks.random = np.random.default_rng(seed)
    return run.looks.centred(looks.picture(person, camera)[None], camera)


def test_the_right_person_comes_first_and_probabilities_sum_to_one(run):
    for person in range(5):
        answer = search(run, query(run, person))
        assert answer.matches[0].person.global_id == person + 1
        assert answer.matches[0].probability > 0.8
        assert answer.nobody + sum(match.probability for match in answer.matches) == pytest.approx(1.0)
        assert len(answer.matches) == 7


def test_one_person_under_two_ids_shares_the_probability(run):
    answer = search(run, query(run, 5))
    assert {match.person.global_id for match in answer.matches[:2]} == {6, 7}
    assert answer.matches[0].probability + answer.matches[1].probability > 0.9


def test_a_stranger_is_nobody(run):
    for stranger in (6, 7, 8):
        answer = search(run, query(run, stranger))
        assert answer.nobody > 0.7
        assert answer.matches[0].probability < 0.2


def test_an_identity_is_searched_without_itself(run):
    rows = [row for row, visit in enumerate(run.looks.visits) if visit.global_id == 7]
    answer = search(run, run.looks.means[rows], leave_out=7)
    assert answer.matches[0].person.global_id == 6
    assert 7 not in {match.person.global_id for match in answer.matches}


def test_more_pictures_of_one_person_are_one_question(run):
    pictures = np.concatenate([query(run, 2, seed=seed) for seed in range(3)])
    assert search(run, pictures).matches[0].person.global_id == 3


def test_few_visits_are_not_reranked_and_many_are(run, monkeypatch):
    assert not search(run, query(run, 1), reranked=True).reranked
    monkeypatch.setattr(searching, "LEAST_VISITS", 5)
    answer = search(run, query(run, 1), reranked=True)
    assert answer.reranked
    assert answer.matches[0].person.global_id == 2
    plain = search(run, query(run, 1))
    assert not plain.reranked
    assert answer.nobody == plain.nobody


def test_reranking_leaves_out_who_is_no_candidate(run, monkeypatch):
    monkeypatch.setattr(searching, "MOST_CANDIDATES", 4)
    scores = reranked_scores(query(run, 1)[0], run.looks.means)
    assert np.isfinite(scores).sum() == 4
    assert int(np.argmax(scores)) in np.argsort(-(run.looks.means @ query(run, 1)[0]))[:4]


def test_cameras_that_may_share_a_view_tell_nothing_of_different_people(run):
    apart = learn(run.looks, frozenset(), searching._similarities)
    alone = learn(run.looks, None, searching._similarities)
    everywhere = learn(run.looks, frozenset({frozenset(CAMERAS[:2]), frozenset(CAMERAS[1:])}), searching._similarities)
    assert apart.same == alone.same == everywhere.same
    # In each of 18 visits one other person is in the room; four are in the other two rooms.
    assert (apart.different, alone.different) == (18 * 5, 18)
    assert alone.different < everywhere.different < apart.different


def test_an_empty_run_answers_nobody(run):
    nobody = run.looks.visits[0].global_id
    looks = dataclasses.replace(run.looks, visits=run.looks.visits[:1], means=run.looks.means[:1])
    empty = dataclasses.replace(run)
    empty.__dict__["looks"] = looks
    answer = search(empty, run.looks.means[:1], leave_out=nobody)
    assert (answer.matches, answer.nobody) == ([], 1.0)


def test_a_likelihood_ratio_is_the_one_of_the_distributions():
    """Two normals of one width: the log ratio is linear, with slope (m1 - m0) / s^2 and zero half way."""
    random = np.random.default_rng(0)
    found = fit(random.normal(0.6, 0.15, 4000), random.normal(0.1, 0.15, 8000))
    assert found.slope == pytest.approx(0.5 / 0.15**2, rel=0.1)
    assert -found.offset / found.slope == pytest.approx(0.35, abs=0.02)


def test_more_alike_never_counts_against_a_match():
    random = np.random.default_rng(1)
    upside_down = fit(random.normal(0.1, 0.1, 300), random.normal(0.6, 0.1, 300))
    assert (upside_down.slope, upside_down.offset) == (0.0, 0.0)


def test_with_no_pairs_a_guess_is_made_and_said_to_be_rough():
    found = fit(np.zeros(0), np.zeros(0))
    assert found.is_rough
    low, high = found.log_ratio(np.array([0.0, 0.8]))
    assert low < -0.5 < 0.5 < high


def test_heaps_far_apart_do_not_give_certainty():
    found = fit(np.full(20, 0.9), np.full(20, 0.0))
    assert abs(found.log_ratio(np.array([0.9]))[0]) < 6.0
    assert found.log_ratio(np.array([1e6]))[0] == MOST_NATS


def test_a_run_whose_site_file_is_lost_can_be_searched(tmp_path):
    write_run(tmp_path / "run", site=False)
    run = open_run(tmp_path / "run")
    assert run.overlaps is None
    assert search(run, query(run, 1)).matches[0].person.global_id == 2
