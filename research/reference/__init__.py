"""How the shipped reference of real nodules was measured."""
