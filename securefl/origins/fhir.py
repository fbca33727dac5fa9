"""Tables made of a FHIR bulk export: one record a patient, by a mapping that the owner declares.

Files of NDJSON as FHIR's Bulk Data Access guide (HL7, version 2) exports them: ``Patient``,
``Observation``, ``Condition``. A patient's record follows from that patient's resources alone.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, model_validator

from securefl.errors import DataError
from securefl.origins.origin import Origin, described
from securefl.sources.table_file import table_descriptor
from securefl.study.fields import Fault, Line, Section

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    Resource = Mapping[str, Any]

_REFERENCE: Final = "Patient/"
#: Words of FHIR R4 for a measurement or a condition that does not hold.
_NOT_SO: Final = frozenset({"entered-in-error", "cancelled", "refuted"})


class PatientColumn(Section):
    """A column of the patient's own: ``id``, ``gender``, ``birthDate``, ``deceased``, or the age on
    a day.
    """

    name: Line
    patient: Literal["id", "gender", "birthDate", "deceased", "age"]
    on: date | None = None

    @model_validator(mode="after")
    def _has_day(self) -> PatientColumn:
        if (self.patient == "age") != (self.on is not None):
            raise Fault("an age needs the day on which it counts, and nothing else does", "on")
        return self


class ObservationColumn(Section):
    """A column of a measurement, found by its code as ``system|code``.

    ``take`` says which where there are several, by their time; ``unit`` is the one they must have
    (UCUM code or, where there is none, its text).
    """

    name: Line
    observation: Line
    unit: Line | None = None
    take: Literal["first", "latest"] = "latest"


class ConditionColumn(Section):
    """A column that says whether a condition with one of the codes was recorded: true or false."""

    name: Line
    condition: Annotated[tuple[Line, ...], Field(min_length=1)]


class ExportMapping(Section):
    """File that says how a table is made of an export.

    Attributes:
        folder: of the export; beside this file where the path is relative.
        columns: of the table, in their order.
    """

    schema_: Literal["securefl-fhir/1"] = Field(alias="schema")
    folder: str = Field(min_length=1, max_length=4096)
    columns: Annotated[
        tuple[PatientColumn | ObservationColumn | ConditionColumn, ...], Field(min_length=1)
    ]


@dataclass(frozen=True)
class FhirOrigin(Origin):
    """A folder of NDJSON files, patient by patient in the order of the export."""

    kind: ClassVar[str] = "fhir"
    schema: ClassVar[str] = "securefl-fhir/1"

    def read(self) -> Iterator[Sequence[object]]:
        """See :class:`Origin`."""
        mapping = described(self.path, ExportMapping, "mapping of a FHIR export")
        folder = self.path.parent / mapping.folder
        yield [column.name for column in mapping.columns]
        measured = _by_patient(folder, "Observation", _codes(mapping, ObservationColumn))
        recorded = _by_patient(folder, "Condition", _codes(mapping, ConditionColumn))
        for patient in _resources(folder, "Patient"):
            own = str(patient.get("id", ""))
            yield [
                _value(column, patient, measured.get(own, ()), recorded.get(own, ()))
                for column in mapping.columns
            ]

    @property
    def words(self) -> str:
        """See :class:`Origin`."""
        return f"a FHIR export, by the mapping in {self.path.name}"


def _value(
    column: PatientColumn | ObservationColumn | ConditionColumn,
    patient: Resource,
    measured: Sequence[Resource],
    recorded: Sequence[Resource],
) -> object:
    if isinstance(column, PatientColumn):
        return _of_patient(column, patient)
    if isinstance(column, ObservationColumn):
        return _measurement(column, measured)
    codes = set(column.condition)
    return any(codes & _codes_of(condition) for condition in recorded)


def _of_patient(column: PatientColumn, patient: Resource) -> object:
    if column.patient == "deceased":
        return bool(patient.get("deceasedBoolean") or patient.get("deceasedDateTime"))
    if column.on is None:
        return patient.get(column.patient)
    return _age(str(patient.get("birthDate", "")), column.on)


def _age(born: str, on: date) -> int | None:
    """Whole years from a day to another; none where the day of birth is no full date."""
    try:
        birth = date.fromisoformat(born)
    except ValueError:
        return None
    if birth > on:
        return None
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))


def _measurement(column: ObservationColumn, measured: Sequence[Resource]) -> object:
    """The first or latest value with the code and unit; none where none has them."""
    found = [
        (_moment(resource), resource["valueQuantity"].get("value"))
        for resource in measured
        if column.observation in _codes_of(resource) and _has_unit(column, resource)
    ]
    if not found:
        return None
    order = min if column.take == "first" else max
    return order(found, key=lambda pair: pair[0])[1]


def _has_unit(column: ObservationColumn, resource: Resource) -> bool:
    """A value in another unit is not this column's: nothing is converted unasked."""
    quantity = resource.get("valueQuantity")
    if not isinstance(quantity, dict):
        return False
    return column.unit is None or column.unit in (quantity.get("code"), quantity.get("unit"))


def _moment(resource: Resource) -> str:
    """Time of a measurement, in an order that text has: UTC where its zone is known."""
    said = str(resource.get("effectiveDateTime", ""))
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:  # a year or a month alone
        return said
    return (moment if moment.tzinfo is None else moment.astimezone(UTC)).isoformat()


def _codes(mapping: ExportMapping, kind: type[Section]) -> set[str]:
    """Codes that the columns of a kind ask for."""
    wanted: set[str] = set()
    for column in mapping.columns:
        if isinstance(column, kind) and isinstance(column, ObservationColumn):
            wanted.add(column.observation)
        if isinstance(column, kind) and isinstance(column, ConditionColumn):
            wanted.update(column.condition)
    return wanted


def _by_patient(folder: Path, kind: str, codes: set[str]) -> dict[str, list[Resource]]:
    """Resources with one of the codes, by the patient whose they are."""
    found: dict[str, list[Resource]] = defaultdict(list)
    if codes:
        for resource in _resources(folder, kind):
            subject = resource.get("subject")
            reference = subject.get("reference") if isinstance(subject, dict) else None
            whose = str(reference or "").rpartition(_REFERENCE)[2]
            if whose and codes & _codes_of(resource) and not _withdrawn(resource):
                found[whose].append(resource)
    return found


def _withdrawn(resource: Resource) -> bool:
    """True for a resource that says of itself that it does not hold."""
    verified = resource.get("verificationStatus")
    codings = verified.get("coding") if isinstance(verified, dict) else None
    words = {str(c.get("code")) for c in codings or () if isinstance(c, dict)}
    return bool(_NOT_SO & {str(resource.get("status")), *words})


def _codes_of(resource: Resource) -> set[str]:
    """Codes of a resource, each as ``system|code``."""
    code = resource.get("code")
    codings = code.get("coding") if isinstance(code, dict) else None
    if not isinstance(codings, list):
        return set()
    return {f"{c.get('system', '')}|{c.get('code', '')}" for c in codings if isinstance(c, dict)}


def _resources(folder: Path, kind: str) -> Iterator[Resource]:
    """Resources of a kind, from all its files: ``Patient.ndjson``, ``Patient.000.ndjson``.

    An export has no file of a kind of which there is nothing; patients there must be.
    """
    files = sorted({*folder.glob(f"{kind}.ndjson"), *folder.glob(f"{kind}.*.ndjson")})
    if not files and kind == "Patient":
        raise DataError(
            f"There is no {kind}.ndjson in {folder}.",
            next_step="Name the folder of the export in the mapping: folder = ...",
        )
    for file in files:
        with open(table_descriptor(file), encoding="utf-8", errors="replace") as lines:  # noqa: PTH123 - a descriptor
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _resource(line, kind, f"{file.name}, line {number}")


def _resource(line: str, kind: str, place: str) -> Resource:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("resourceType") != kind:
        raise DataError(
            f"{place} is no {kind} resource.", next_step="Export it again as FHIR bulk data."
        )
    return found
