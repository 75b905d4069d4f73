"""The benchmark of trees: a user's whole tree in one query, beside one statement and other servers."""
