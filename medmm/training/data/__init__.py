"""What is learned from: films, volumes, outlines, boxes, public sets, and what is held out."""
