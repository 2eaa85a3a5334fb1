"""The data to learn from: films, volumes, outlines, boxes, public sets, and the holdout."""
