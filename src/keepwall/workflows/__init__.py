"""Stories that go across stages."""
