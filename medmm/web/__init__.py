"""What pages and interfaces share of HTTP: links, frames, headers, cookies."""
