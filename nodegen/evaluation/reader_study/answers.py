"""Readers' answers and the key, read and put side by side."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodegen.errors import SettingError

CONFIDENT = {"choice": 3, "rating": 6, "marking": 4}  # the highest answer of each kind of study


@dataclass(frozen=True)
class Reading:
    """One reader's answers: by case, without practice."""

    reader: str
    answers: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Study:
    """A study with its key and its readers; only cases that all of them answered count."""

    kind: str
    title: str
    key: dict[str, dict[str, Any]]
    readings: list[Reading]
    plan: dict[str, Any]

    @property
    def cases(self) -> list[str]:
        """Those that every reader has answered, in the order of the study."""
        return [
            name
            for name, truth in self.key.items()
            if not truth["practice"] and all(name in r.answers for r in self.readings)
        ]


def read_study(key: Path, answers: Sequence[Path]) -> Study:
    """Read a study's key and its answers.

    Raises
    ------
    SettingError
        Where a file is missing, of another form, or of another study.
    """
    truth = _load(key, "cases")
    kind = truth["plan"]["kind"]
    readings: dict[str, Reading] = {}
    for path in answers:
        given = _load(path, "answers")
        if given.get("study") != truth["study"]:
            raise SettingError(
                f"{path} answers the study {given.get('study')} and the key is that of "
                f"{truth['study']}; give the key of the same study."
            )
        reader = str(given.get("reader") or path.stem)
        if reader in readings:
            raise SettingError(
                f"{path} is a second set of answers by {reader}; give one file a reader."
            )
        found = {
            answer["case"]: answer
            for answer in given["answers"]
            if isinstance(answer, dict) and answer.get("case") in truth["cases"]
        }
        for name, answer in found.items():
            if not _fits(kind, answer):
                raise SettingError(
                    f"{path} has an answer to case {name} that the page cannot give."
                )
        readings[reader] = Reading(reader, found)
    study = Study(kind, truth["title"], truth["cases"], list(readings.values()), truth["plan"])
    if not study.cases:
        raise SettingError("No case was answered by all readers; give answers to the same cases.")
    return study


def _load(path: Path, wanted: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingError(f"{path} cannot be read as JSON ({error}); export it anew.") from error
    if not isinstance(content, dict) or wanted not in content or "study" not in content:
        raise SettingError(
            f"{path} holds no {wanted} of a reader study; give what the page exported, and the "
            "key.json that lay beside the page."
        )
    return content


def _fits(kind: str, answer: dict[str, Any]) -> bool:
    most = CONFIDENT[kind]
    if kind == "choice":
        return answer.get("side") in (0, 1) and answer.get("confidence") in range(1, most + 1)
    if kind == "rating":
        return answer.get("rating") in range(most + 1)
    marks = answer.get("marks")
    return isinstance(marks, list) and all(m.get("confidence") in range(1, most + 1) for m in marks)
