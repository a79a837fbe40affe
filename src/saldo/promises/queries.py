"""Reading promises and plans as of a day, as known at an instant."""
