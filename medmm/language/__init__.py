"""What report sentences claim: findings, denials, sides, numbers, comparisons, certainty."""
