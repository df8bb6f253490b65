"""Ask/tell searches; none of them simulates."""
