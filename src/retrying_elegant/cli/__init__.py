"""The command ``retrying-elegant``: ``main`` reads its options, the other modules execute them."""
