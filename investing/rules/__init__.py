"""Pure rules: values in, decision out. Nothing here touches a database, a clock or a network."""
