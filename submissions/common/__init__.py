"""The linear algebra and the schedules that submissions share."""
