"""How good labels are: metrics, gates, and one answer out of many."""
