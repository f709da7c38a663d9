"""The REST API: what a request may say, what it does to the account, what is answered."""
