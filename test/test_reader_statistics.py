"""The reader study's statistics against published worked examples and other implementations."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from nodegen.evaluation.reader_study.multireader import (
    MarkedImage,
    auc_over_readers,
    fleiss_kappa,
    half_width,
    jafroc,
    jafroc_over_readers,
    sample_sizes,
    share_over_readers,
)
from nodegen.evaluation.statistics import auc

# Van Dyke et al. 1993 (79th RSNA), spin echo: five readers, 69 patients without and 45 with aortic
# dissection. RJafroc's dataset02; its book prints every figure that is tested here.
WITHOUT = [
    "122151111111411111111131311214111113121211233131133111111221111332111",
    "232222222322522232222222422223222222222222222222222222222432232222222",
    "222235112242422232221232411322112224121412112222223211211221151421212",
    "111111311111111111112111211112111111111111111111331111111111111311111",
    "351211112221211122113221111211211231221113332111211111111341231212113",
]
WITH = [
    "555545554555434245555555154454553555115554451",
    "535555542555442225555555243354552425225555352",
    "545555555555542355555555252255552555225555552",
    "555555555555555155555555554544553555125555555",
    "525255551545452235555554144322151515115553552",
]
RATINGS = np.array([[int(c) for c in n + d] for n, d in zip(WITHOUT, WITH, strict=True)])
POSITIVE = np.arange(RATINGS.shape[1]) >= len(WITHOUT[0])
MINUS = -np.inf


def test_each_readers_area_is_as_published():
    areas = [auc(r[POSITIVE], r[~POSITIVE]) for r in RATINGS]
    published = [0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066]
    assert areas == pytest.approx(published, abs=5e-9)
    assert areas == pytest.approx([roc_auc_score(POSITIVE, r) for r in RATINGS])


def test_the_interval_over_readers_and_cases_is_as_published():
    found = auc_over_readers(RATINGS, POSITIVE)
    assert found.value == pytest.approx(0.89703704, abs=5e-9)
    assert (found.low, found.high) == pytest.approx((0.82522360, 0.96885048), abs=5e-8)
    assert (found.cases, found.readers) == (114, 5)


def test_one_readers_interval_is_delongs():
    """DeLong's variance by structural components, written anew; the jackknife's is close to it."""
    positive, negative = RATINGS[0][POSITIVE], RATINGS[0][~POSITIVE]
    wins = (np.sign(np.subtract.outer(positive, negative)) + 1) / 2
    variance = wins.mean(1).var(ddof=1) / len(positive) + wins.mean(0).var(ddof=1) / len(negative)
    found = auc_over_readers(RATINGS[:1], POSITIVE)
    assert (found.high - found.value) / 1.959964 == pytest.approx(np.sqrt(variance), rel=0.02)


def test_hanley_and_mcneils_worked_example():
    # Radiology 1982; 143: 109 CTs rated 1 to 5, area 0.893.
    normal = np.repeat([1, 2, 3, 4, 5], [33, 6, 6, 11, 2])
    abnormal = np.repeat([1, 2, 3, 4, 5], [3, 2, 2, 11, 33])
    assert auc(abnormal, normal) == pytest.approx(0.893, abs=5e-4)


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    # Newcombe 1998, Stat Med 17:857, table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval(right, total, low, high):
    found = share_over_readers(np.arange(total)[None] < right)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_a_share_over_readers_widens_with_their_differences():
    rng = np.random.default_rng(0)
    same = np.tile(rng.random(100) < 0.6, (3, 1))
    alike = share_over_readers(same)
    plain = 1.959964 * same[0].std(ddof=1) / 10
    assert alike.high - alike.value == pytest.approx(plain, rel=1e-6), "three times the same reader"
    apart = np.stack([rng.random(100) < p for p in (0.4, 0.6, 0.8)])
    assert share_over_readers(apart).high - share_over_readers(apart).low > 2 * plain


def test_fleiss_worked_example():
    # Fleiss 1971: 30 patients, 6 raters, 5 diagnoses, kappa 0.430.
    table = """
    00060 03003 01401 00006 03030 20400 00402 20310 20040 00006
    10050 11040 03300 10050 02031 00501 30012 51000 02040 10203
    00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
    """
    counts = np.array([[int(digit) for digit in row] for row in table.split()])
    assert counts.shape == (30, 5)
    answers = np.array([np.repeat(range(5), row) for row in counts]).T
    assert fleiss_kappa(answers) == pytest.approx(0.430, abs=5e-4)


def test_two_readers_who_use_categories_alike_have_cohens_kappa():
    answers = np.array([[0, 0, 1, 1, 0, 1, 0, 1], [0, 1, 1, 0, 0, 1, 0, 1]])
    assert fleiss_kappa(answers) == pytest.approx(cohen_kappa_score(*answers))
    assert np.isnan(fleiss_kappa(answers[:1]))
    assert np.isnan(fleiss_kappa(np.ones((3, 4))))


def test_jafroc_by_hand():
    # Nodules: 3, none, 2. Radiographs without: highest false mark 1, none, 3.
    images = [
        MarkedImage((3, MINUS), (4,)),  # a false mark on a radiograph with nodules does not count
        MarkedImage((2,), ()),
        MarkedImage((), (1, 0)),
        MarkedImage((), ()),
        MarkedImage((), (3,)),
    ]
    # 3: 1 + 1 + .5; none: 0 + .5 + 0; 2: 1 + 1 + 0; of nine pairs.
    assert jafroc(images) == pytest.approx(5 / 9)


def test_jafroc_with_one_nodule_a_radiograph_and_no_stray_marks_is_the_area():
    images = [
        [
            MarkedImage((r,), ()) if p else MarkedImage((), (r,))
            for r, p in zip(row, POSITIVE, strict=True)
        ]
        for row in RATINGS.astype(float)
    ]
    found, area = jafroc_over_readers(images), auc_over_readers(RATINGS, POSITIVE)
    assert (found.value, found.low, found.high) == pytest.approx((area.value, area.low, area.high))


def test_intervals_cover_as_often_as_they_say():
    rng = np.random.default_rng(1)
    truth = np.arange(80) < 40
    covered = 0
    for _ in range(60):
        case, skill = rng.normal(0, 1, 80), rng.normal(0.6, 0.15, 4)
        ratings = case + skill[:, None] * truth + rng.normal(0, 0.7, (4, 80))
        found = auc_over_readers(ratings, truth)
        true = stats.norm.cdf(0.6 / np.sqrt(2 * (1 + 0.7**2) + 0.15**2))
        covered += found.low <= true <= found.high
    assert covered >= 51, "95 % of 60 are 57; fewer than 51 comes once in 300 runs"


def test_nothing_to_estimate_is_said():
    assert str(share_over_readers(np.ones((1, 0), dtype=bool))) == "–"
    one_kind = auc_over_readers(np.ones((2, 5)), np.ones(5, dtype=bool))
    assert str(one_kind) == "–"
    perfect = auc_over_readers(np.arange(20.0)[None], np.arange(20) >= 10)
    assert str(perfect) == "1.000 (no interval)"


def test_more_cases_and_readers_narrow_the_interval():
    for kind in ("choice", "rating"):
        assert half_width(200, 3, kind) < half_width(60, 3, kind)
        assert half_width(100, 10, kind) < half_width(100, 3, kind)
    assert half_width(100, 1, "choice") == pytest.approx(1.96 * 0.05, abs=1e-4)
    assert "| 60 |" in sample_sizes()
