"""What a run leaves behind: the table on the terminal, and the files that one can ask for.

`findings` judges a result, `glossary` says what its figures mean, and `text`, `json`, `csv`, `html`
and `hgrm` each write it in one form. Nothing here measures.
"""
