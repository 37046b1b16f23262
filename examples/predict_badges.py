"""Who will earn a badge in the next six months?

A community's database (users, posts, votes, comments, badges) as a folder of Parquet in
RelBench's format: ``python examples/predict_badges.py [FOLDER]``. What users say of
themselves is left out: a profile is overwritten, so one that is filled in tells who
stayed. No tool can see that; whoever knows the data can say it.
"""

import os
import sys
from pathlib import Path

import benthic

QUERY = "PREDICT COUNT(badges.*, 0, 6, months) > 0 FOR EACH users.Id"
PROFILE = ["DisplayName", "Location", "WebsiteUrl", "AboutMe"]
OVERWRITTEN = {"tables": {"users": {"ignore": PROFILE}}}
DATA = Path(os.environ.get("BENTHIC_DATA", "../shared/data"))


def main(folder: str | Path = DATA / "relational" / "rel-bicyclesmeta") -> None:
    with benthic.Database.open(folder, overrides=OVERWRITTEN) as db:
        print(db)
        for table in db.schema.tables.values():
            links = ", ".join(f"{k.column} -> {k.table}" for k in table.fkeys)
            print(f"  {table.name}: time {table.time_col}; {links or 'no keys'}")
        predictor = benthic.Predictor(db)

        print("\nWould it have been right half a year ago?")
        print(predictor.evaluate(QUERY))

        print("\nWho is next?")
        answers = predictor.predict(QUERY)
        print(answers.nlargest(5, "probability").to_string(index=False))

        print("\nWhy?")
        likeliest = answers.loc[answers["probability"].idxmax(), "entity"].item()
        print(predictor.explain(QUERY, likeliest))


if __name__ == "__main__":
    main(*sys.argv[1:])
