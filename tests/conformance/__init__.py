"""What the RFCs ask of lastack, held against what its code and its tests cite: the compliance report."""
