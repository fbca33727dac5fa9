"""A researcher's first study, from mock data to a prediction: ``python examples/first_study.py
RESEARCHER_FOLDER PROTOCOL``.

The hospitals, their agents and the aggregator must run already, and their owners must trust this
researcher's card: docs/by-hand.md, steps 1 to 4. The owners approve while this program waits.
"""

import sys
import time

import securefl as sf


def main(folder: str, protocol: str) -> None:
    """Ask every hospital in the researcher's own list, run the study, use the model."""
    lab = sf.connect(folder)
    partners = lab.folder.book.cards().values()
    hospitals = sorted(p.name for p in partners if p.role == "hospital")
    aggregator = next(p.name for p in partners if p.role == "aggregator")

    lab.ask(*hospitals)
    while len(datasets := lab.datasets()) < len(hospitals):
        time.sleep(1)
    mock = datasets[0].mock()  # a pandas DataFrame of invented rows
    print(mock.head(3))

    study = sf.Study.new(lab, protocol, hospitals=hospitals, aggregator=aggregator)
    study.request()
    print(f"{study.name}: waiting for the data owners", flush=True)
    study.wait(watch=print)

    result = study.run(
        watch=lambda sum_: print(
            f"round {sum_.round}: one sum of {len(sum_.contributions)} hospitals"
        )
    )
    print(
        f"AUC: 95 % interval {result.evaluation.low:.2f} to {result.evaluation.high:.2f}; the rule"
        f" asked for is {result.quality}"
    )
    print(f"audit extracts: {', '.join(sorted(result.extracts))}")
    print(f"intended use: {result.model.intended_use}")
    print(f"scores of invented rows: {result.model.predict(mock)[:3].round(4)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
