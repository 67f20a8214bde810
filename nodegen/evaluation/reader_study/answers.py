"""Readers' answers and the key, read and put side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field

from nodegen.errors import SettingError
from nodegen.schemas import JsonModel, read_json

SAVED = "give the file that the page saved"


class _Answer(JsonModel):
    case: str
    seconds: Annotated[float, Field(ge=0)] | None = None


class _Choice(_Answer):
    side: Annotated[int, Field(ge=0, le=1)]  # that of the real one: 0 left, 1 right
    confidence: Annotated[int, Field(ge=1, le=3)]


class _Rating(_Answer):
    rating: Annotated[int, Field(ge=0, le=6)]  # 0: none seen; 1 surely synthetic to 6 surely real


class _Mark(JsonModel):
    x: float  # px
    y: float
    confidence: Annotated[int, Field(ge=1, le=4)]  # of a nodule there: 1 unlikely to 4 definite


class _Marking(_Answer):
    marks: list[_Mark]


class _Truth(JsonModel):
    practice: bool
    kind: str
    nodules: list[dict[str, Any]]


class _Plan(JsonModel):
    kind: Literal["choice", "rating", "marking"]
    seed: int
    candidates: int


class _Key(JsonModel):
    study: str
    title: str
    plan: _Plan
    cases: dict[str, _Truth]


A = TypeVar("A")


class _AnswersFile(JsonModel, Generic[A]):
    study: str
    reader: Annotated[str, Field(min_length=1)]
    answers: list[A]


_FILES: dict[str, type[_AnswersFile[Any]]] = {
    "choice": _AnswersFile[_Choice],
    "rating": _AnswersFile[_Rating],
    "marking": _AnswersFile[_Marking],
}


@dataclass(frozen=True)
class Study:
    """A study with its key and its readers' answers, each by case."""

    title: str
    plan: _Plan
    key: dict[str, dict[str, Any]]
    answers: dict[str, dict[str, dict[str, Any]]]  # by reader

    @property
    def cases(self) -> list[str]:
        """Those that every reader has answered, in the order of the study."""
        counted = [name for name, truth in self.key.items() if not truth["practice"]]
        return [name for name in counted if all(name in a for a in self.answers.values())]


def read_study(key: Path, answers: Sequence[Path]) -> Study:
    """Read a study's ``NAME.key.json``, and the answers that its page saved, one file a reader."""
    remedy = "give the NAME.key.json beside the page of a reader study"
    _, truth = read_json(_Key, key, SettingError, remedy)
    readings: dict[str, dict[str, dict[str, Any]]] = {}
    for path in answers:
        _, given = read_json(_AnswersFile[Any], path, SettingError, SAVED)
        if given.study != truth.study:
            raise SettingError(
                f"{path} answers the study {given.study} and the key is that of {truth.study}; "
                "give the key of the same study."
            )
        if given.reader in readings:
            raise SettingError(
                f"{path} is a second set of answers by {given.reader}; give one file a reader."
            )
        _, given = read_json(_FILES[truth.plan.kind], path, SettingError, SAVED)
        mine: dict[str, dict[str, Any]] = {}
        for answer in given.answers:
            if answer.case not in truth.cases or answer.case in mine:
                fault = "twice" if answer.case in mine else "which the study does not have"
                raise SettingError(f"{path} answers the case {answer.case}, {fault}; {SAVED}.")
            mine[answer.case] = answer.model_dump()
        readings[given.reader] = mine
    cases = {name: case.model_dump() for name, case in truth.cases.items()}
    study = Study(truth.title, truth.plan, cases, readings)
    if not study.cases:
        raise SettingError("No case was answered by all readers; give answers to the same cases.")
    return study
