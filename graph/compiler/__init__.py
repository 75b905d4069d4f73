"""Answer queries of stored data by one SQL statement each; see docs/compiler.md."""
