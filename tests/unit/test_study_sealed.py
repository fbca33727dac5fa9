import dataclasses
import doctest
import tomllib

import pytest
from conftest import make_study, protocol_text

from securefl.errors import StudyError
from securefl.study import study_id
from securefl.study.sealed import SealedStudy, UnsealedStudy, read_any
from securefl.study.study_id import StudyId, short_digest

TEXT = make_study()[0]


def test_the_examples_hold():
    assert doctest.testmod(study_id).failed == 0


def test_a_sealed_study_is_its_text_what_it_says_and_its_digest():
    sealed = SealedStudy.read(TEXT)
    assert sealed.text == TEXT.encode()
    assert sealed.study.study.id == "small"
    assert sealed.id == StudyId("small", sealed.digest)
    assert sealed.name == f"small-{sealed.digest[:12]}" == f"small-{short_digest(sealed.digest)}"
    assert SealedStudy.read(TEXT.encode()) == sealed


def test_a_digest_cannot_be_paired_with_another_text():
    sealed = SealedStudy.read(TEXT)
    with pytest.raises(TypeError):
        SealedStudy(TEXT.encode(), digest="0" * 64)
    with pytest.raises(dataclasses.FrozenInstanceError):
        sealed.digest = "0" * 64
    with pytest.raises(ValueError, match="init=False"):
        dataclasses.replace(sealed, digest="0" * 64)
    other = dataclasses.replace(sealed, text=TEXT.replace('id = "small"', 'id = "other"').encode())
    assert other.study.study.id == "other"
    assert other.digest != sealed.digest


def test_a_text_is_parsed_once(monkeypatch):
    parsed = []
    loads = tomllib.loads
    monkeypatch.setattr(tomllib, "loads", lambda text: (parsed.append(text), loads(text))[1])
    sealed = SealedStudy.read(TEXT)
    assert (sealed.digest, sealed.name, sealed.study.cohort) == (
        sealed.digest,
        sealed.name,
        sealed.study.cohort,
    )
    assert len(parsed) == 1
    UnsealedStudy.read(protocol_text())
    assert len(parsed) == 2


def test_a_text_of_either_kind_is_parsed_once(monkeypatch):
    parsed = []
    loads = tomllib.loads
    monkeypatch.setattr(tomllib, "loads", lambda text: (parsed.append(text), loads(text))[1])
    assert read_any(TEXT.encode()) == SealedStudy.read(TEXT)
    assert len(parsed) == 2
    protocol = read_any(protocol_text().encode())
    assert len(parsed) == 3
    read = UnsealedStudy.read(protocol_text())
    assert (protocol.study, protocol.raw, protocol.text) == (read.study, read.raw, read.text)


def test_a_file_is_read_as_what_it_says_it_is():
    assert isinstance(read_any(TEXT.encode()), SealedStudy)
    assert isinstance(read_any(protocol_text().encode()), UnsealedStudy)
    for read, text in ((SealedStudy.read, protocol_text()), (UnsealedStudy.read, TEXT)):
        with pytest.raises(StudyError, match="expected"):
            read(text)
