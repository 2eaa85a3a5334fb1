"""Networks for chest films: what they take, find and measure."""
