"""R2 out of core: the Gram matrix and its Cholesky factor as tiles on disk, each made by a task of its own.

`layout` cuts the matrix, `folder` keeps the tiles, `gram_tile` and `factor_tile` make one, `tasks` says which are
missing, `bound` puts together what they prove, `tiled_gram` runs it all from where it stopped.
"""
