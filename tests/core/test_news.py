"""What is new: every end is told once, over restarts, late lists and deletions."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidata_core import errors
from rapidata_core._sync.news import ended_since
from rapidata_core.policy.news import Cursor, Seen, advance, read_cursor

START = datetime(2026, 11, 21, tzinfo=UTC)
LATE = 5


def moment(seconds):
    return START + timedelta(seconds=seconds)


@dataclass(frozen=True)
class Life:
    """An object of the platform, in seconds: each from when on."""

    id: str
    began: int
    shows: int
    ended: int
    deleted: float


@st.composite
def lives(draw):
    """Objects whose times are told by the platform, and that the list shows late."""
    found = []
    for number in range(draw(st.integers(0, 12))):
        began = draw(st.integers(0, 60))
        shows = began + draw(st.integers(0, LATE))
        ended = began + draw(st.integers(0, 60))
        deleted = draw(st.just(float("inf")) | st.integers(shows, shows + 80))
        found.append(Life(f"job_{number}", began, shows, ended, deleted))
    return found


class Platform:
    """A list of objects, as it is at a time."""

    def __init__(self, lives):
        self._lives = lives
        self.now = 0
        self.ids_read = []

    def _seen(self, chosen):
        return [
            Seen(life.id, moment(life.began), life.ended <= self.now)
            for life in self._lives
            if life.shows <= self.now < life.deleted and chosen(life)
        ]

    def newest(self):
        return max((one.began for one in self._seen(lambda life: True)), default=None)

    def open(self):
        return self._seen(lambda life: life.ended > self.now)

    def begun_since(self, since):
        return self._seen(lambda life: since is None or moment(life.began) >= since)

    def read(self, ids):
        self.ids_read += ids
        return self._seen(lambda life: life.id in ids)


def looks(platform, times, since=None):
    """What is told at each time. A cursor survives as JSON only."""
    cursor, told = None, []
    for platform.now in times:
        ended, cursor = ended_since(platform, cursor, since, LATE)
        cursor = json.loads(json.dumps(cursor))
        told.append(ended)
    return told, cursor


@given(lives(), st.lists(st.integers(0, 200), min_size=1, max_size=12))
def test_whatever_ends_is_told_once_and_nothing_that_had_ended_before(lives, times):
    times = sorted(times)
    told, _ = looks(Platform(lives), times)
    flat = [one for ended in told for one in ended]
    assert len(flat) == len(set(flat))
    first = times[0]
    for life in lives:
        if life.ended <= first:
            # It had ended. Only one that the list did not show by then may be news.
            assert life.id not in flat or life.shows > first
        elif any(max(life.ended, life.shows) <= time < life.deleted for time in times[1:]):
            assert life.id in flat
        else:
            assert life.id not in flat


@given(lives(), st.lists(st.integers(0, 200), min_size=1, max_size=12), st.integers(0, 60))
def test_from_a_time_on_what_had_ended_is_told_too(lives, times, since):
    times = sorted(times)
    told, _ = looks(Platform(lives), times, moment(since))
    flat = [one for ended in told for one in ended]
    assert len(flat) == len(set(flat))
    for life in lives:
        shown = any(max(life.ended, life.shows) <= time < life.deleted for time in times)
        if life.began >= since:
            assert (life.id in flat) == shown


@given(lives())
def test_a_cursor_is_as_long_as_what_is_open_or_has_just_begun(lives):
    lives = [Life(life.id, life.began, life.shows, life.ended, 999) for life in lives]
    _, cursor = looks(Platform(lives), range(100))
    newest = max((life.began for life in lives), default=0)
    assert set(cursor["open"]) == {life.id for life in lives if life.ended > 99}
    assert set(cursor["seen"]) == {life.id for life in lives if life.began >= newest - LATE}


@pytest.mark.parametrize("beginning", [5, 10], ids=["nothing is there", "a younger one is there"])
def test_what_shows_after_a_younger_one_is_told(beginning):
    lives = [Life("young", 10, 10, 12, 99), Life("old", 8, 14, 15, 99)]
    told, _ = looks(Platform(lives), [beginning, 13, 20])
    assert told == [[], ["young"], ["old"]]


def test_what_ends_while_a_cursor_is_made_is_told():
    class Moving(Platform):
        def newest(self):
            self.now += 5
            return super().newest()

    told, _ = looks(Moving([Life("done", 0, 0, 3, 99), Life("before", 0, 0, 1, 99)]), [2, 20])
    assert told == [["done"], []]


def test_what_began_first_is_told_first():
    lives = [Life("young", 2, 2, 10, 99), Life("old", 1, 1, 11, 99)]
    assert looks(Platform(lives), [5, 20])[0] == [[], ["old", "young"]]


def test_only_what_began_earlier_is_read_by_its_id():
    lives = [Life("paused", 0, 0, 500, 999), Life("young", 100, 100, 150, 999)]
    platform = Platform(lives)
    looks(platform, [10, 20, 120, 130])
    # At the second look the list itself still has it.
    assert platform.ids_read == ["paused"]


def test_what_is_deleted_while_it_is_open_is_forgotten():
    lives = [Life("gone", 0, 0, 50, 30), Life("young", 20, 20, 90, 999)]
    told, cursor = looks(Platform(lives), [10, 25, 40, 60])
    assert told == [[], [], [], []]
    assert cursor["open"] == ["young"]


def test_a_list_that_is_older_than_the_last_one_repeats_nothing():
    done = Seen("job_1", moment(0), has_ended=True)
    _, cursor = advance(Cursor(), [done], [], timedelta(seconds=LATE))
    news, cursor = advance(cursor, [], [], timedelta(seconds=LATE))
    assert news == []
    assert advance(cursor, [done], [], timedelta(seconds=LATE))[0] == []


def test_a_list_that_ignores_the_time_it_is_asked_for_tells_no_old_news():
    old, new = Seen("old", moment(0), has_ended=True), Seen("new", moment(50), has_ended=True)
    cursor = Cursor(since=moment(40))
    assert advance(cursor, [old, new], [], timedelta(seconds=LATE))[0] == ["new"]


@given(
    st.builds(
        Cursor,
        st.none() | st.datetimes(timezones=st.just(UTC)),
        st.frozensets(st.text(min_size=1)),
        st.frozensets(st.text(min_size=1)),
    )
)
def test_a_cursor_is_read_as_it_was_written(cursor):
    assert read_cursor(json.loads(json.dumps(cursor.as_dict()))) == cursor


WHOLE = {"since": "2026-11-21T00:00:00+00:00", "seen": [], "open": []}


@pytest.mark.parametrize(
    ("damaged", "problem"),
    [
        ("2026", "must be a mapping, not str"),
        ([], "must be a mapping, not list"),
        ({}, "seen: must be a list of ids"),
        (WHOLE | {"seen": "job_1"}, "seen: must be a list of ids"),
        (WHOLE | {"open": [1]}, "open: must be a list of ids"),
        (WHOLE | {"open": [""]}, "open: must be a list of ids"),
        (WHOLE | {"since": "yesterday"}, "since: must be a time with its zone"),
        (WHOLE | {"since": "2026-11-21T00:00:00"}, "since: must be a time with its zone"),
        (WHOLE | {"since": 5}, "since: must be a time with its zone"),
        ({"seen": [], "open": []}, "since: is missing"),
    ],
)
def test_a_damaged_cursor_is_refused(damaged, problem):
    with pytest.raises(errors.ValidationError, match="cursor") as refusal:
        read_cursor(damaged)
    assert problem in str(refusal.value)
    assert "None to begin anew" in str(refusal.value)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(errors.ValidationError, match="must have a zone"):
        looks(Platform([]), [0], datetime(2026, 11, 21))  # noqa: DTZ001
