"""Labelled films to weights with their card. Live use never imports this room."""
