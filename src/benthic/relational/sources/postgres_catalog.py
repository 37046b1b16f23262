"""What a PostgreSQL catalogue says, to a role that may only SELECT."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from psycopg.conninfo import make_conninfo
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL, Connection, Inspector

from benthic.errors import DatabaseError, InputError
from benthic.relational.declared import DeclaredKey
from benthic.relational.sources.source import one_line
from benthic.relational.sources.table_names import table_names
from benthic.relational.sql import quoted

_TIMEOUT = "10"  # seconds; a host that drops packets would never answer

# information_schema lists no key to a role that owns nothing; pg_class does.
_READABLE = """
SELECT n.nspname, c.relname,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
ORDER BY n.nspname, c.relname
"""


@dataclass(frozen=True)
class CatalogTable:
    """One table of the catalogue.

    Args:
        path: Schema and name.
        reads: Column -> SQL that reads it as a type that Arrow carries.
        pkey: Columns of the primary key.
        fkeys: Foreign keys.
        is_readable: Whether the role may SELECT from it.
    """

    path: tuple[str, str]
    reads: Mapping[str, str]
    pkey: tuple[str, ...]
    fkeys: tuple[DeclaredKey, ...]
    is_readable: bool


def read_url(url: str) -> URL:
    """A PostgreSQL URL, whatever driver it names.

    Args:
        url: As the user wrote it.

    Raises:
        InputError: If it is no URL.

    Example:
        >>> title_of(read_url("postgres://ada:secret@localhost/shop"))
        'postgresql://ada@localhost/shop'
    """
    try:
        address = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:
        # The text may hold a password: it is not repeated.
        remedy = "write postgresql://user:password@host:port/database"
        raise InputError(
            "database", "a PostgreSQL URL that cannot be read", remedy
        ) from error
    query = dict(address.query)
    query.setdefault("connect_timeout", _TIMEOUT)
    return address.set(drivername="postgresql", query=query)


def title_of(address: URL) -> str:
    """The URL without password and options."""
    kept = (address.username, None, address.host, address.port, address.database)
    return str(URL.create("postgresql", *kept))


def conninfo(address: URL) -> str:
    """The address as PostgreSQL's own library reads it, password included."""
    parts: dict[str, Any] = {
        "host": address.host,
        "port": address.port,
        "user": address.username,
        "password": address.password,
        "dbname": address.database,
        **address.query,
    }
    return make_conninfo(**{name: part for name, part in parts.items() if part})


def read_catalog(address: URL) -> dict[str, CatalogTable]:
    """All tables by name: ``schema.table`` outside the default schema.

    Args:
        address: The server.

    Raises:
        InputError: If the server lets nobody in.
        DatabaseError: If the catalogue cannot be read.
    """
    engine = sa.create_engine(
        address.set(drivername="postgresql+psycopg"), poolclass=sa.pool.NullPool
    )
    try:
        connection = engine.connect()
    except sa.exc.SQLAlchemyError as error:
        raise InputError(
            "database",
            f"{title_of(address)}, which cannot be opened ({_reason(error)})",
            "check user, password, host, port and database of the URL",
        ) from error
    try:
        with connection:
            connection.execute(sa.text("SET TRANSACTION READ ONLY"))
            return _read_tables(connection)
    except sa.exc.SQLAlchemyError as error:
        text = f"{title_of(address)}: reading failed: {_reason(error)}"
        raise DatabaseError(text) from error
    finally:
        engine.dispose()


def _read_tables(connection: Connection) -> dict[str, CatalogTable]:
    inspector = sa.inspect(connection)
    rows = connection.execute(sa.text(_READABLE)).fetchall()
    default = inspector.default_schema_name or "public"
    # Else a key's parent that is on the search path would come without its schema.
    connection.execute(sa.text("SET LOCAL search_path TO ''"))
    paths = [(row[0], row[1]) for row in rows]
    # The default schema's tables first.
    paths.sort(key=lambda path: path[0] != default)
    names = table_names(paths, default)
    may_read = {(row[0], row[1]): row[2] for row in rows}
    tables: dict[str, CatalogTable] = {}
    for schema in dict.fromkeys(path[0] for path in paths):
        readable = {name: may_read[s, name] for s, name in paths if s == schema}
        tables.update(_read_schema(inspector, schema, names, readable))
    return tables


def _read_schema(
    inspector: Inspector,
    schema: str,
    names: Mapping[tuple[str, str], str],
    readable: Mapping[str, bool],
) -> dict[str, CatalogTable]:
    facts: dict[str, Any] = {"schema": schema, "filter_names": list(readable)}
    columns = inspector.get_multi_columns(**facts)
    pkeys = inspector.get_multi_pk_constraint(**facts)
    fkeys = inspector.get_multi_foreign_keys(**facts)
    return {
        names[schema, name]: CatalogTable(
            path=(schema, name),
            reads={
                column["name"]: _read(column["name"], column["type"])
                for column in columns.get((schema, name), [])
            },
            pkey=tuple(pkeys[schema, name]["constrained_columns"])
            if pkeys.get((schema, name))
            else (),
            fkeys=tuple(_foreign_keys(schema, fkeys.get((schema, name), []), names)),
            is_readable=may_read,
        )
        for name, may_read in readable.items()
    }


def _foreign_keys(
    schema: str, keys: Iterable[Any], names: Mapping[tuple[str, str], str]
) -> Iterator[DeclaredKey]:
    for key in keys:
        parent = (key["referred_schema"] or schema, key["referred_table"])
        # A part of a partitioned table is no table of ours.
        if parent in names:
            yield DeclaredKey(
                tuple(key["constrained_columns"]),
                names[parent],
                tuple(key["referred_columns"]),
            )


# Types that Arrow carries as they are, first; then what is read as a number; the rest
# (UUID, JSON, enumerations, intervals, addresses …) is read as text.
_AS_IS = (
    *(sa.Integer, sa.Float, sa.Boolean, sa.Date, sa.TIMESTAMP, sa.DateTime),
    *(sa.LargeBinary, sa.TEXT, sa.VARCHAR),
)


def _read(column: str, kind: Any) -> str:
    """SQL of a column; an infinite time is NULL, since Arrow has none."""
    value = f"{quoted(column)}{_cast(kind)}"
    if isinstance(_stored_kind(kind), sa.Date | sa.DateTime):
        return f"CASE WHEN isfinite({value}) THEN {value} END"
    return value


def _stored_kind(kind: Any) -> Any:
    return _stored_kind(kind.data_type) if isinstance(kind, postgresql.DOMAIN) else kind


def _cast(kind: Any) -> str:
    if isinstance(kind, postgresql.DOMAIN):
        return _cast(kind.data_type) or f"::{_plain_kind(kind.data_type)}"
    if isinstance(kind, sa.ARRAY):
        plain = isinstance(kind.item_type, sa.Integer | sa.Float | sa.TEXT)
        return "" if plain else "::text[]"
    if isinstance(kind, postgresql.MONEY):
        return "::numeric::double precision"
    if isinstance(kind, _AS_IS):
        return ""
    return "::double precision" if isinstance(kind, sa.Numeric) else "::text"


def _plain_kind(kind: Any) -> str:
    dialect: Any = postgresql.dialect  # not annotated
    return str(kind.compile(dialect=dialect()))


def _reason(error: sa.exc.SQLAlchemyError) -> str:
    """What the server said, not what the driver prints around it."""
    said = getattr(error, "orig", None) or error
    text = one_line(said)
    for sign in ("FATAL:", "error:"):
        text = text.rpartition(sign)[2].strip() or text
    return text
