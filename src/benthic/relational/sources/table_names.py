"""What is a table called that lies in one of several schemas?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from benthic.relational.sql import quoted


def table_names(
    paths: Sequence[tuple[str, str]], default: str
) -> dict[tuple[str, str], str]:
    """Schema and name of each table -> the one name that no other table has.

    ``name`` in the default schema and ``schema.name`` elsewhere; tables that would
    share such a name are called by schema and name in double quotes.

    Args:
        paths: Schema and name of each table.
        default: The schema that need not be named.

    Example:
        >>> table_names([("main", "orders"), ("crm", "orders")], "main").values()
        dict_values(['orders', 'crm.orders'])
        >>> table_names([("main", "crm.orders"), ("crm", "orders")], "main").values()
        dict_values(['"main"."crm.orders"', '"crm"."orders"'])
    """
    short = {
        (schema, name): name if schema == default else f"{schema}.{name}"
        for schema, name in paths
    }
    taken = Counter(short.values())
    # A name that begins with a quote could be another's in quotes.
    return {
        path: quoted(*path) if taken[name] > 1 or name.startswith('"') else name
        for path, name in short.items()
    }
