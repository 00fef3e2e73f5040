"""The untrusted side of a trial: model, training data, submission."""
