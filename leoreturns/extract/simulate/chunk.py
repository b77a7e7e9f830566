"""One chunk of simulated persons, with all its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator, Philox, SeedSequence

from leoreturns.extract.simulate import (
    attainment,
    benefits,
    care,
    estimands,
    further,
    geography,
    higher,
    ids,
    pay,
    people,
    post16,
    schools,
    work,
)
from leoreturns.extract.simulate.careers import Careers, make_careers
from leoreturns.extract.simulate.defects import Defects
from leoreturns.extract.simulate.rows import Rows, shuffled
from leoreturns.extract.simulate.truth import Truth
from leoreturns.extract.simulate.world import World, idbr, lars, make_world

# A topic has its own stream of random numbers: a change in one leaves the others as they are.
TOPICS = (
    "people", "careers", "courses", "census", "absence", "exclusions", "ks2", "ks4", "post16", "further", "higher",
    "care", "work", "employment", "earnings", "own", "benefits", "geography", "support", "defects", "order", "pay",
)  # fmt: skip
WORLD = 0  # spawn key; chunk c has c + 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated.

    Attributes
    ----------
    n_persons, seed, chunk_persons : int
    cohorts : tuple of int
        Calendar years in which key stage 4 ends.
    defects : bool
    truth : Truth
    n_schools : int, optional
        As many as suit the persons if left out.
    """

    n_persons: int
    seed: int
    chunk_persons: int
    cohorts: tuple[int, ...]
    defects: bool
    truth: Truth = field(default_factory=Truth)
    n_schools: int | None = None

    @property
    def n_chunks(self) -> int:
        """Number of chunks."""
        return -(-self.n_persons // self.chunk_persons)

    @property
    def salt(self) -> int:
        """What tells the ids of one seed from those of another."""
        return int(SeedSequence(self.seed).generate_state(1, np.uint64)[0])

    def stream(self, chunk: int, topic: int = 0) -> Generator:
        """Return the random numbers of one topic in one chunk."""
        return Generator(Philox(SeedSequence(self.seed, spawn_key=(chunk, topic))))

    def world(self) -> World:
        """Return the world of all chunks."""
        return make_world(self.n_persons, self.stream(WORLD), n_schools=self.n_schools)


def world_tables(plan: Plan, world: World) -> Iterator[tuple[str, str, Rows]]:
    """Give the tables that are not of persons: canonical name, name of the file, rows."""
    yield "idbr", "idbr", idbr(world, plan.stream(WORLD, 1))
    yield "lars", "lars", lars(world)


def chunk_tables(plan: Plan, world: World, chunk: int, counts: Counter[str]) -> Iterator[tuple[str, str, Rows]]:
    """Give the tables of one chunk as they are made: canonical name, name of the file, rows in random order.

    Defects made, and sums of true effects, are added to `counts` when all tables have been taken.
    """
    rng = {topic: plan.stream(chunk + 1, place) for place, topic in enumerate(TOPICS)}
    defects = Defects(rng["defects"], enabled=plan.defects)
    for table, stem, rows in _tables(plan, world, chunk, rng, defects, counts):
        yield table, stem, shuffled(rows, rng["order"])
    counts.update(defects.counts)


def _tables(
    plan: Plan, world: World, chunk: int, rng: dict[str, Generator], defects: Defects, counts: Counter[str]
) -> Iterator[tuple[str, str, Rows]]:
    first = chunk * plan.chunk_persons
    persons = np.arange(first, min(first + plan.chunk_persons, plan.n_persons))
    pupils = people.make_people(len(persons), plan.cohorts, world, plan.truth, rng["people"])
    counts.update(estimands.tally(pupils, plan.truth))
    careers = make_careers(pupils, world, rng["careers"])
    courses = further.make_courses(pupils, careers, rng["courses"])
    learns = np.zeros(len(persons), bool)
    learns[courses.person] = True
    known = ids.make_all_ids(persons, pupils.linked, learns, plan.salt, defects)
    for name, rows in ids.lookups(known, defects).items():
        yield name, name, rows
    yield from _school_tables(plan, pupils, known, world, rng, defects)
    learners, aims = further.ilr(pupils, courses, known, world, plan.salt, rng["further"], defects)
    yield "ilr_learners", "ilr_learners", learners
    yield "ilr_aims", "ilr_aims", aims
    yield "hesa", "hesa", higher.hesa(pupils, known, world, rng["higher"], defects)
    yield "ucas", "ucas", higher.ucas(pupils, known, rng["higher"])
    yield from _leo_tables(plan, pupils, careers, known, world, rng, defects)


def _school_tables(
    plan: Plan, pupils: people.People, known: ids.Ids, world: World, rng: dict[str, Generator], defects: Defects
) -> Iterator[tuple[str, str, Rows]]:
    occasions = schools.census_occasions(plan.cohorts)
    for name, rows in schools.census(pupils, known, world, occasions, rng["census"], defects):
        yield "school_census", name, rows
    for year in schools.secondary_years(plan.cohorts, "absence"):
        yield "absence", f"absence_{year + 1}", schools.absence(pupils, known, world, year, rng["absence"])
    for year in schools.secondary_years(plan.cohorts, "exclusions"):
        yield "exclusions", f"exclusions_{year + 1}", schools.exclusions(pupils, known, world, year, rng["exclusions"])
    yield "ks2", "ks2", attainment.ks2(pupils, known, rng["ks2"], defects)
    yield "ks4", "ks4", attainment.ks4(pupils, known, world, rng["ks4"], defects)
    students, exams = post16.ks5(pupils, known, world, rng["post16"], defects)
    yield "ks5", "ks5", students
    yield "ks5_exams", "ks5_exams", exams
    yield "plams", "plams", post16.plams(pupils, known, world, rng["post16"], defects)
    yield "ypmad", "ypmad", post16.ypmad(pupils, known, rng["post16"])
    for name, make in (
        ("nccis", care.nccis),
        ("cin", care.cin),
        ("cla", care.cla),
        ("alternative_provision", care.alternative_provision),
    ):
        yield name, name, make(pupils, known, rng["care"])


def _leo_tables(
    plan: Plan,
    pupils: people.People,
    careers: Careers,
    known: ids.Ids,
    world: World,
    rng: dict[str, Generator],
    defects: Defects,
) -> Iterator[tuple[str, str, Rows]]:
    earned = pay.make_pay(pupils, careers, world, plan.truth, rng["pay"])
    worked = work.working_days(pupils, careers, rng["work"])
    yield "employment", "employment", work.employment(worked, known, rng["employment"], defects)
    yield "earnings", "earnings", work.earnings(pupils, careers, earned, worked, known, world, rng["earnings"], defects)
    own = work.self_employed(pupils, careers, rng["own"])
    yield "self_assessment", "self_assessment", work.self_assessment(own, known, rng["own"])
    yield "benefits", "benefits", benefits.benefits(pupils, careers, known, rng["benefits"], defects)
    yield "geography", "geography", geography.geography(pupils, careers, known, world, rng["geography"], defects)
    yield "cjrs", "cjrs", geography.cjrs(pupils, careers, known, world, rng["support"], defects)
    yield "seiss", "seiss", geography.seiss(own, known, rng["support"])
