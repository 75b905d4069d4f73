"""Where prices come from: a feed brings them to the floor."""
