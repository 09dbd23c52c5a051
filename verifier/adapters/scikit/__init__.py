"""Estimators of scikit-learn as networks of this package: `verifier.from_sklearn`.

``preprocessing``  a pipeline's steps before the last one: selections, exact affine maps, products of columns
``estimators``     the last step: multi-layer perceptrons and linear models
``convert``        both together, compared with the estimator's own outputs
"""
