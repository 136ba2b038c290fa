"""How the figures of a run are shown: on the terminal, as CSV, and as a tab of the web interface.

`tables` writes the percentiles as text, `samples` keeps what changes over time, `tab` draws both as
HTML, and `web` adds it to Locust's web interface. Nothing here measures.
"""
