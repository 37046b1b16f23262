"""All checks of a query, in the order of the specification."""

from __future__ import annotations

from benthic.relational.query.clause_checks import check_clauses
from benthic.relational.query.dates import dated
from benthic.relational.query.faults import Faults
from benthic.relational.query.kinds import check_kinds
from benthic.relational.query.names import resolved
from benthic.relational.query.path_checks import check_paths
from benthic.relational.query.tree import Clauses
from benthic.relational.query.types import check_types
from benthic.relational.query.windows import check_windows
from benthic.relational.schema import Schema


def checked(clauses: Clauses, schema: Schema | None, faults: Faults) -> Clauses:
    """The clauses with the database's names; what is wrong goes to the faults.

    Names, kinds, types, windows, paths, clauses. Where a name is unknown, what depends
    on it is left alone.

    Args:
        clauses: As they were read.
        schema: Without it only what the words themselves tell is checked.
        faults: Takes what is wrong.
    """
    if schema is not None:
        clauses = dated(resolved(clauses, schema, faults), schema, faults)
    check_kinds(clauses, schema, faults)
    if schema is not None:
        check_types(clauses, schema, faults)
    check_windows(clauses, faults)
    if schema is not None:
        check_paths(clauses, schema, faults)
    check_clauses(clauses, schema, faults)
    return clauses
