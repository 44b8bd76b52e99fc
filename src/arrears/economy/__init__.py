"""What an agreement does in two years, and the best agreement there is."""
