"""Where tables come from: one file a kind of database."""
