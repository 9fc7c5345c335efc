"""Retries inside retries."""

import pytest
from layers import AWARE, PLAIN, calls


class TestLayers:
    """Attempts multiply from layer to layer, unless a layer looks at what the inner one did."""

    @pytest.mark.parametrize(("layers", "expected"), [(1, 3), (2, 9), (3, 27), (4, 81), (5, 243)])
    def test_on_their_own(self, layers, expected):
        """Three attempts on five layers are 243 calls."""
        assert calls(layers, PLAIN) == expected

    @pytest.mark.parametrize("layers", [1, 2, 3, 4, 5])
    def test_unless_given_up(self, layers):
        """With `unless=given_up` they are 3, whatever the number of layers."""
        assert calls(layers, AWARE) == 3
