"""What authors of submissions see, and how a submission is found and loaded."""
