"""Questions: what the research asks of a panel, each answered by one function with an `Answer`."""
