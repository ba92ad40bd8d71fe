"""What is in the bytes: detectors of secrets, as data, and the code that runs them."""
