"""Paths of a study's messages in the store.

Names are digests, round numbers and site names: all public.
"""

from __future__ import annotations

from dataclasses import dataclass

from securefl.secagg.round_context import ATTEMPT

#: The folder of all studies.
STUDIES = "studies"
#: The folder of all recalls of models: one listing tells what is new, whatever study it is of.
RECALLS = "recalls"


def study_root(digest: str) -> str:
    """The folder of one study."""
    return f"{STUDIES}/{digest}"


def study_file(digest: str) -> str:
    """The sealed study's text, for the aggregator and hospitals without PySyft; the others get it as
    a PySyft request.
    """
    return f"{study_root(digest)}/study.toml"


def invitation(digest: str) -> str:
    """The coordinator's signed word that the study exists."""
    return f"{study_root(digest)}/invitation"


def request(digest: str) -> str:
    """The coordinator's signed word on the text, for hospitals that take requests off the board."""
    return f"{study_root(digest)}/request"


def approvals(digest: str) -> str:
    """The folder of approvals."""
    return f"{study_root(digest)}/approvals"


def approval(digest: str, site: str) -> str:
    """One hospital's approval."""
    return f"{approvals(digest)}/{site}"


def questions(digest: str) -> str:
    """The folder of owners' questions."""
    return f"{study_root(digest)}/questions"


def question(digest: str, site: str, number: int) -> str:
    """One question of a hospital's owner."""
    return f"{questions(digest)}/{site}-{number:02}"


def offers(digest: str) -> str:
    """The folder of owners' offers."""
    return f"{study_root(digest)}/offers"


def offer(digest: str, site: str) -> str:
    """Offer of a hospital that refused."""
    return f"{offers(digest)}/{site}"


def reply(digest: str, site: str, number: int) -> str:
    """The coordinator's answer to it."""
    return f"{study_root(digest)}/replies/{site}-{number:02}"


def status_folder(digest: str) -> str:
    """The folder of public last words."""
    return f"{study_root(digest)}/status"


def status(digest: str, site: str) -> str:
    """One hospital's last public word on the study."""
    return f"{status_folder(digest)}/{site}"


def ending(digest: str) -> str:
    """The coordinator's signed end of the study."""
    return f"{study_root(digest)}/end"


def call(digest: str) -> str:
    """The coordinator's signed word that it is about to begin."""
    return f"{study_root(digest)}/call"


def ready_folder(digest: str) -> str:
    """The folder of answers to the call."""
    return f"{study_root(digest)}/ready"


def ready(digest: str, site: str) -> str:
    """One hospital's signed answer to it: that it can take part, and which run of its agent will."""
    return f"{ready_folder(digest)}/{site}"


def group_commitments(digest: str) -> str:
    """The folder of commitments to nonces, in a study that trains by groups."""
    return f"{study_root(digest)}/group-commitments"


def group_commitment(digest: str, site: str) -> str:
    """One hospital's commitment."""
    return f"{group_commitments(digest)}/{site}"


def group_nonces(digest: str) -> str:
    """The folder of shown nonces."""
    return f"{study_root(digest)}/group-nonces"


def group_nonce(digest: str, site: str) -> str:
    """One hospital's nonce."""
    return f"{group_nonces(digest)}/{site}"


def return_folder(digest: str) -> str:
    """The folder of hospitals' words that they come back."""
    return f"{study_root(digest)}/returns"


def returns(digest: str, site: str) -> str:
    """One hospital's signed word that it goes on after a round without it."""
    return f"{return_folder(digest)}/{site}"


def receipts(digest: str) -> str:
    """The folder of receipts in an ended study."""
    return f"{study_root(digest)}/receipts"


def receipt(digest: str, site: str) -> str:
    """One party's signed word that it needs nothing more of the study's bytes."""
    return f"{receipts(digest)}/{site}"


def extract(digest: str, site: str) -> str:
    """The extract of one hospital's audit, sealed to the researcher."""
    return f"{study_root(digest)}/extracts/{site}"


def model_statement(digest: str) -> str:
    """The coordinator's signed word on the sealed model."""
    return f"{study_root(digest)}/model/statement"


def model_sealed(digest: str) -> str:
    """The finished model, sealed to its recipients."""
    return f"{study_root(digest)}/model/sealed"


def recall(digest: str, site: str) -> str:
    """One hospital's word that a study's model is to be used no more."""
    return f"{RECALLS}/{digest}.{site}"


def pysyft_keys(name: str) -> str:
    """A party's signed word which PySyft keys are its own."""
    return f"identities/{name}/pysyft"


def request_way(name: str) -> str:
    """A hospital's signed word that it takes requests off the board."""
    return f"identities/{name}/requests"


def shown_dataset(name: str, dataset: str) -> str:
    """The folder of a data set that a hospital without PySyft shows: its signed statement, its mock
    table.
    """
    return f"datasets/{name}/{dataset}"


@dataclass(frozen=True)
class RoundPaths:
    """The objects of one round."""

    digest: str
    round: int

    @property
    def root(self) -> str:
        """The round's folder."""
        return f"{study_root(self.digest)}/rounds/{self.round:05d}-{ATTEMPT}"

    @property
    def announcement(self) -> str:
        """Signed facts of the round."""
        return f"{self.root}/announcement"

    @property
    def key(self) -> str:
        """The round's CKKS public key."""
        return f"{self.root}/key"

    @property
    def model(self) -> str:
        """The global model, sealed to the hospitals."""
        return f"{self.root}/model"

    @property
    def contributions(self) -> str:
        """The folder of contributions."""
        return f"{self.root}/contributions"

    def contribution(self, site: str) -> str:
        """One hospital's contribution."""
        return f"{self.contributions}/{site}"

    @property
    def proposal(self) -> str:
        """The coordinator's survivor set, in a study that goes on after a loss."""
        return f"{self.root}/survivors"

    @property
    def agreements(self) -> str:
        """The folder of survivors' signatures under it."""
        return f"{self.root}/agreements"

    def agreement(self, site: str) -> str:
        """One survivor's signature."""
        return f"{self.agreements}/{site}"

    @property
    def complaints(self) -> str:
        """The folder of complaints about dealings."""
        return f"{self.root}/complaints"

    def complaint(self, site: str) -> str:
        """One survivor's complaint, in place of its signature."""
        return f"{self.complaints}/{site}"

    @property
    def answers(self) -> str:
        """The folder of unmasking answers."""
        return f"{self.root}/answers"

    def answer(self, site: str) -> str:
        """One survivor's unmasking answer."""
        return f"{self.answers}/{site}"

    @property
    def sum(self) -> str:
        """The aggregator's sum."""
        return f"{self.root}/sum"

    @property
    def opening(self) -> str:
        """The coordinator's opening, sealed to the participants."""
        return f"{self.root}/opening"

    @property
    def transcript(self) -> str:
        """The coordinator's signed transcript, once the sum was opened."""
        return f"{self.root}/transcript"
