"""What nodules are worth: how real they look, what a detector learns, and how to show it."""
