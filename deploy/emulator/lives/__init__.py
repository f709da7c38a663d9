"""How resources live: what becomes of a message, a call, a recording, a conference, and when. Pure."""
