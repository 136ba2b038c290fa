"""What several test modules share: certificates, and whatever else needs to be made once."""
