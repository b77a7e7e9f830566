"""One chunk of simulated persons, with all its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator, Philox, SeedSequence

from leoreturns._typing import AnyArray, IntArray
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

    def persons(self, chunk: int) -> IntArray:
        """Return the numbers of the persons of a chunk."""
        first = chunk * self.chunk_persons
        return np.arange(first, min(first + self.chunk_persons, self.n_persons))

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


@dataclass(frozen=True, slots=True)
class Drawn:
    """The persons of one chunk, before anything is recorded of them.

    Attributes
    ----------
    pupils : People
    careers : Careers
    courses : Courses
    known : Ids
    rng : mapping of topic -> Generator
        Random numbers for the records of each topic.
    defects : Defects
    """

    pupils: people.People
    careers: Careers
    courses: further.Courses
    known: ids.Ids
    rng: Mapping[str, Generator]
    defects: Defects


def draw_chunk(plan: Plan, world: World, chunk: int) -> Drawn:
    """Draw the persons of one chunk."""
    rng = {topic: plan.stream(chunk + 1, place) for place, topic in enumerate(TOPICS)}
    defects = Defects(rng["defects"], enabled=plan.defects)
    persons = plan.persons(chunk)
    pupils = people.make_people(len(persons), plan.cohorts, world, plan.truth, rng["people"])
    careers = make_careers(pupils, world, rng["careers"])
    courses = further.make_courses(pupils, careers, rng["courses"])
    learns = np.zeros(len(persons), bool)
    learns[courses.person] = True
    known = ids.make_all_ids(persons, pupils.linked, learns, plan.salt, defects)
    return Drawn(pupils, careers, courses, known, rng, defects)


def chunk_tables(plan: Plan, world: World, chunk: int, counts: Counter[str]) -> Iterator[tuple[str, str, Rows]]:
    """Give the tables of one chunk as they are made: canonical name, name of the file, rows in random order.

    Defects made, and sums of true effects, are added to `counts` when all tables have been taken.
    """
    drawn = draw_chunk(plan, world, chunk)
    for table, stem, rows in _tables(plan, world, drawn):
        yield table, stem, shuffled(rows, drawn.rng["order"])
    counts.update(estimands.tally(drawn.pupils, plan.truth))
    counts.update(drawn.defects.counts)


def _tables(plan: Plan, world: World, drawn: Drawn) -> Iterator[tuple[str, str, Rows]]:
    pupils, known, rng, defects = drawn.pupils, drawn.known, drawn.rng, drawn.defects
    for name, rows in ids.lookups(known, defects).items():
        yield name, name, rows
    yield from _census_tables(plan, world, drawn)
    for name, rows in school_tables(world, drawn):
        yield name, name, rows
    for name, make in (
        ("nccis", care.nccis),
        ("cin", care.cin),
        ("cla", care.cla),
        ("alternative_provision", care.alternative_provision),
    ):
        yield name, name, make(pupils, known, rng["care"])
    learners, aims = further.ilr(pupils, drawn.courses, known, world, plan.salt, rng["further"], defects)
    yield "ilr_learners", "ilr_learners", learners
    yield "ilr_aims", "ilr_aims", aims
    yield "hesa", "hesa", higher.hesa(pupils, known, world, rng["higher"], defects)
    yield "ucas", "ucas", higher.ucas(pupils, known, rng["higher"])
    own = work.self_employed(pupils, drawn.careers, rng["own"])
    for name, rows in leo_tables(plan.truth, world, drawn, own):
        yield name, name, rows
    yield "seiss", "seiss", geography.seiss(own, known, rng["support"])


def _census_tables(plan: Plan, world: World, drawn: Drawn) -> Iterator[tuple[str, str, Rows]]:
    pupils, known, rng = drawn.pupils, drawn.known, drawn.rng
    occasions = schools.census_occasions(plan.cohorts)
    for name, rows in schools.census(pupils, known, world, occasions, rng["census"], drawn.defects):
        yield "school_census", name, rows
    for year in schools.secondary_years(plan.cohorts, "absence"):
        yield "absence", f"absence_{year + 1}", schools.absence(pupils, known, world, year, rng["absence"])
    for year in schools.secondary_years(plan.cohorts, "exclusions"):
        yield "exclusions", f"exclusions_{year + 1}", schools.exclusions(pupils, known, world, year, rng["exclusions"])


def school_tables(world: World, drawn: Drawn) -> Iterator[tuple[str, Rows]]:
    """Give the tables of attainment at school: canonical name and rows."""
    pupils, known, rng, defects = drawn.pupils, drawn.known, drawn.rng, drawn.defects
    yield "ks2", attainment.ks2(pupils, known, rng["ks2"], defects)
    yield "ks4", attainment.ks4(pupils, known, world, rng["ks4"], defects)
    students, exams = post16.ks5(pupils, known, world, rng["post16"], defects)
    yield "ks5", students
    yield "ks5_exams", exams
    yield "plams", post16.plams(pupils, known, world, rng["post16"], defects)
    yield "ypmad", post16.ypmad(pupils, known, rng["post16"])


def leo_tables(truth: Truth, world: World, drawn: Drawn, own: tuple[AnyArray, AnyArray]) -> Iterator[tuple[str, Rows]]:
    """Give the tables of work, benefits, residence and furlough; `own` are persons and years of self-employment."""
    pupils, careers, known, rng, defects = drawn.pupils, drawn.careers, drawn.known, drawn.rng, drawn.defects
    earned = pay.make_pay(pupils, careers, world, truth, rng["pay"])
    worked = work.working_days(pupils, careers, rng["work"])
    yield "employment", work.employment(worked, known, rng["employment"], defects)
    yield "earnings", work.earnings(pupils, careers, earned, worked, known, world, rng["earnings"], defects)
    yield "self_assessment", work.self_assessment(own, known, rng["own"])
    yield "benefits", benefits.benefits(pupils, careers, known, rng["benefits"], defects)
    yield "geography", geography.geography(pupils, careers, known, world, rng["geography"], defects)
    yield "cjrs", geography.cjrs(pupils, careers, known, world, rng["support"], defects)
