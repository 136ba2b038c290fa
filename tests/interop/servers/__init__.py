"""One small program for each WebSocket server that this project did not write.

Each takes `--certfile PEM` for TLS and `--compress` for permessage-deflate, prints the port it was
given, and ends when its standard input does. Each keeps the same rules of conversation:

| a message | what the server does |
|---|---|
| the text "close" | begins the closing handshake: code 3001, reason "as you asked" |
| the text "ping" | sends a Ping with "are you there?", then echoes the text |
| any other | echoes it |
"""
