"""Tables as people have them: text files of any dialect and ARFF, made into samples whose numbers are the user's own.

`opening` decompresses and decodes, `dialect` splits into cells, `columns` says what each column is, `numbers` reads
cells, `reader` puts the data set together. Nothing is left out silently: `Dataset.understood` says it.
"""
