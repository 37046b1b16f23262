"""How often will each film be rented in the coming three weeks?

A film rental shop of 16 tables: ``python examples/predict_rentals.py [FOLDER]``.
"""

import os
import sys
from pathlib import Path

import benthic

# Rentals point at inventory, and inventory at films: two foreign keys away.
QUERY = "PREDICT COUNT(rental.*, 0, 21, days) FOR EACH film.film_id"
DATA = Path(os.environ.get("BENTHIC_DATA", "../shared/data"))
ANCHOR = "2005-08-15"  # later rows are few: the data end with some of February


def main(folder: str | Path = DATA / "relational" / "sakila") -> None:
    with benthic.Database.open(folder) as db:
        print(db)
        predictor = benthic.Predictor(db)

        print("\nWould it have been right three weeks before?")
        print(predictor.evaluate(QUERY, anchor_time=ANCHOR))

        print("\nThe coming three weeks")
        answers = predictor.predict(QUERY, anchor_time=ANCHOR)
        print(answers.nlargest(5, "prediction").to_string(index=False))

        print("\nWhat does it rest on?")
        print(predictor.explain(QUERY, anchor_time=ANCHOR))


if __name__ == "__main__":
    main(*sys.argv[1:])
