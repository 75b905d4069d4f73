"""The benchmark of trees: a user's whole tree in one query, beside one hand-written statement and other servers."""
