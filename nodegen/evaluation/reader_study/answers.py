"""Readers' answers and the key, read and put side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nodegen.errors import SettingError


class _File(BaseModel):
    # Strict: true is no rating.
    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class _Mark(_File):
    x: float  # px
    y: float
    confidence: Annotated[int, Field(ge=1, le=4)]  # of a nodule there: 1 unlikely to 4 definite


class _Answer(_File):
    case: str
    seconds: Annotated[float, Field(ge=0)] | None = None


class _Choice(_Answer):
    side: Annotated[int, Field(ge=0, le=1)]  # that of the real one: 0 left, 1 right
    confidence: Annotated[int, Field(ge=1, le=3)]


class _Rating(_Answer):
    rating: Annotated[int, Field(ge=0, le=6)]  # 0: none seen; 1 surely synthetic to 6 surely real


class _Marking(_Answer):
    marks: list[_Mark]


_ANSWERS: dict[str, type[_Answer]] = {"choice": _Choice, "rating": _Rating, "marking": _Marking}


class _Truth(_File):
    practice: bool
    places: list[dict[str, Any]] = []
    nodules: list[dict[str, Any]] = []


class _Plan(_File):
    kind: Literal["choice", "rating", "marking"]
    seed: int
    candidates: int


class _Key(_File):
    study: str
    title: str
    plan: _Plan
    cases: dict[str, _Truth]


class _AnswersFile(_File):
    study: str
    reader: Annotated[str, Field(min_length=1)]
    answers: list[dict[str, Any]]


F = TypeVar("F", bound=_File)


@dataclass(frozen=True)
class Study:
    """A study with its key and its readers' answers, each by case."""

    kind: str
    title: str
    key: dict[str, dict[str, Any]]
    answers: dict[str, dict[str, dict[str, Any]]]  # by reader
    plan: _Plan

    @property
    def cases(self) -> list[str]:
        """Those that every reader has answered, in the order of the study."""
        counted = [name for name, truth in self.key.items() if not truth["practice"]]
        return [name for name in counted if all(name in a for a in self.answers.values())]


def read_study(key: Path, answers: Sequence[Path]) -> Study:
    """Read a study's ``NAME.key.json``, and the answers that its page saved, one file a reader.

    Raises
    ------
    SettingError
        Where a file is missing, of another form, or of another study.
    """
    truth = _load(key, _Key, "the key of a reader study; give the NAME.key.json beside its page")
    readings: dict[str, dict[str, dict[str, Any]]] = {}
    for path in answers:
        given = _load(path, _AnswersFile, "a reader's answers; give the file that the page saved")
        if given.study != truth.study:
            raise SettingError(
                f"{path} answers the study {given.study} and the key is that of {truth.study}; "
                "give the key of the same study."
            )
        if given.reader in readings:
            raise SettingError(
                f"{path} is a second set of answers by {given.reader}; give one file a reader."
            )
        readings[given.reader] = _answers(path, given, truth)
    cases = {name: case.model_dump() for name, case in truth.cases.items()}
    study = Study(truth.plan.kind, truth.title, cases, readings, truth.plan)
    if not study.cases:
        raise SettingError("No case was answered by all readers; give answers to the same cases.")
    return study


def _answers(path: Path, given: _AnswersFile, truth: _Key) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for number, entry in enumerate(given.answers, 1):
        try:
            answer = _ANSWERS[truth.plan.kind].model_validate(entry)
        except ValidationError as error:
            fault = f"has an answer that the page cannot give, number {number} ({_fault(error)})"
        else:
            fault = ""
            if answer.case not in truth.cases:
                fault = f"answers the case {answer.case!r}, which the study does not have"
            elif answer.case in found:
                fault = f"answers the case {answer.case} twice"
            found[answer.case] = answer.model_dump()
        if fault:
            raise SettingError(f"{path} {fault}; give the file that the page saved.")
    return found


def _load(path: Path, form: type[F], wanted: str) -> F:
    try:
        return form.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingError(f"{path} cannot be read ({error.strerror}); give another.") from error
    except ValidationError as error:
        raise SettingError(f"{path} is not {wanted} ({_fault(error)}).") from error


def _fault(error: ValidationError) -> str:
    """The first fault, in a few words."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
