"""Reading prices, from the bundled data sets and from files of one's own, and storing them."""
