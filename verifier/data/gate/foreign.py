"""Arrays and tables of other libraries, taken apart without importing the libraries: pandas, PyTorch, SciPy, masks.

What is returned here is a NumPy array with exactly the numbers, or the objects, that were there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from verifier.data.gate.place import Place

_TABLES: Final = (("get_columns", "columns"), ("to_pydict", "column_names"))
"""How tables without pandas show what they are: polars, Arrow."""


def is_missing(value: Any) -> bool:
    """Whether a value says that there is none: None, pandas' NA and NaT, NumPy's NaT and masked constant."""
    if value is None or value is np.ma.masked:
        return True
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    pandas = sys.modules.get("pandas")
    return pandas is not None and (value is pandas.NA or value is pandas.NaT)


def plain_tensor(values: Any, place: Place) -> NDArray[Any] | None:
    """Take a PyTorch tensor: its numbers as a NumPy array, None if it is no tensor.

    Guarantee: the array holds exactly the tensor's numbers.

    Parameters
    ----------
    values : object
        What the user gave.
    place : Place
        Where, for messages.

    Returns
    -------
    ndarray or None
        The numbers, in the tensor's shape.
    """
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(values, torch.Tensor):
        return None
    kind = str(values.dtype).removeprefix("torch.")
    if values.is_complex():
        place.refuse(f"a tensor of dtype {kind} is not real numbers; give real numbers, for example x.real")
    if values.is_meta:
        place.refuse("a tensor on the meta device has no numbers; give one on a CPU or GPU")
    if values.is_quantized:
        place.refuse(f"a quantized tensor ({kind}) stands for rounded numbers; give x.dequantize()")
    if getattr(values, "is_nested", False):
        place.refuse("a nested tensor is ragged; give one dense tensor")
    if values.layout != torch.strided:
        layout = str(values.layout).removeprefix("torch.")
        place.refuse(f"a {layout} tensor is not a dense array; give x.to_dense()")
    try:
        with torch.no_grad():
            dense = values.detach().cpu().resolve_neg()
            wide = dense.to(torch.float64) if dense.is_floating_point() else dense  # binary64 holds all smaller floats
            return np.array(wide.numpy())
    except (RuntimeError, TypeError, NotImplementedError) as error:
        return place.refuse(f"a tensor of dtype {kind} cannot be read ({str(error).splitlines()[0]}); give x.double()")


def plain_array(values: Any, place: Place) -> NDArray[Any] | None:
    """Take an array of NumPy, masked or not, a tensor, or a column of pandas; None if it is none of these.

    Returns
    -------
    array or None
        Exactly the numbers or objects that were there.

    Raises
    ------
    DataError
        It has entries that are masked or missing, or is of a kind that stands for other numbers.
    """
    for plain in (plain_mask(values, place), plain_tensor(values, place)):
        if plain is not None:
            return plain
    if is_column(values):
        return plain_column(values, place)
    return np.asarray(values) if isinstance(values, np.ndarray) else None


def refuse_unordered_and_sparse(values: Any, place: Place) -> None:
    """Refuse what is no array: sets and mappings, sparse matrices, iterators, data sets of torch.

    Raises
    ------
    DataError
        It is one of these.
    """
    if hasattr(values, "toarray") or (hasattr(values, "todense") and not hasattr(values, "columns")):
        place.refuse(f"a sparse {type(values).__name__} is not a dense array; give X.toarray()")
    if isinstance(values, set | frozenset):
        place.refuse("a set has no order; give a list")
    if hasattr(values, "keys") and not is_table(values) and not hasattr(values, "dtype"):
        place.refuse(f"a {type(values).__name__} is a mapping, not an array; give the array that it holds")
    kinds = {f"{kind.__module__}.{kind.__name__}" for kind in type(values).__mro__}
    if "torch.utils.data.dataloader.DataLoader" in kinds:
        place.refuse("a DataLoader is no array; give X, y = (torch.cat(parts) for parts in zip(*loader))")
    if "torch.utils.data.dataset.TensorDataset" in kinds:
        place.refuse("a TensorDataset is no array; give X, y = dataset.tensors")
    if "torch.utils.data.dataset.Dataset" in kinds:
        kind, whole = type(values).__name__, "X, y = next(iter(DataLoader(dataset, batch_size=len(dataset))))"
        place.refuse(f"a {kind} is no array; give {whole}")
    if hasattr(values, "__next__"):
        place.refuse(f"a {type(values).__name__} can be read only once; give list(...) of it")


def is_table(values: Any) -> bool:
    """Whether it is a DataFrame, or a table of polars or Arrow."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(values, pandas.DataFrame):
        return True
    return any(hasattr(values, a) and hasattr(values, b) for a, b in _TABLES)


def is_column(values: Any) -> bool:
    """Whether it is a Series, an Index or an extension array of pandas."""
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return False
    return isinstance(values, pandas.Series | pandas.Index | pandas.api.extensions.ExtensionArray)


def table_columns(table: Any) -> list[tuple[str, Any]]:
    """The columns of a table, each with its name, in order: pandas' Series, or lists of Python objects.

    Parameters
    ----------
    table : DataFrame, or a table of polars or Arrow
        See `is_table`.

    Returns
    -------
    list of (str, Series or list)
        The name is its ``repr``.
    """
    if hasattr(table, "iloc"):
        return [(repr(name), table.iloc[:, j]) for j, name in enumerate(table.columns)]
    if hasattr(table, "to_pydict"):
        return [(repr(name), list(entries)) for name, entries in table.to_pydict().items()]
    return [(repr(column.name), column.to_list()) for column in table.get_columns()]


def plain_column(column: Any, place: Place) -> NDArray[Any]:
    """Take a Series, an Index or an extension array of pandas: its entries as a NumPy array of shape (N,).

    Returns
    -------
    (N,) array
        Of numbers, texts, dates or objects, exactly as they are.

    Raises
    ------
    DataError
        An entry is missing, or the column is sparse or has several levels.
    """
    if getattr(column, "nlevels", 1) > 1 and not hasattr(column, "iloc"):
        place.refuse("an index of several levels is no column of numbers; give one level")
    kind, missing = column.dtype, np.asarray(column.isna(), dtype=bool)
    name = type(kind).__name__
    if name == "SparseDtype":
        place.refuse("a sparse column is not a dense array; give x.sparse.to_dense()")
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        value = column.iloc[row] if hasattr(column, "iloc") else column[row]
        place.part(row).refuse_value(value, "a missing value; fill it in or drop its row")
    if name == "CategoricalDtype":
        values = getattr(column, "cat", column)  # of a Series; an Index and an array have both fields themselves
        categories = plain_column(values.categories, place)
        return np.asarray(categories[np.asarray(values.codes)])
    numeric = getattr(kind, "numpy_dtype", None)
    if numeric is not None and name != "ArrowDtype" and np.dtype(numeric).kind in "biuf":
        return np.asarray(column.to_numpy(dtype=np.dtype(numeric)))
    if isinstance(kind, np.dtype):
        return np.asarray(column.to_numpy())
    held = np.empty(len(column), dtype=object)
    held[:] = list(column)
    return held


def plain_mask(values: Any, place: Place) -> NDArray[Any] | None:
    """Take a masked array: its numbers if none is masked, None if it is no masked array.

    Raises
    ------
    DataError
        An entry is masked.
    """
    if not isinstance(values, np.ma.MaskedArray):
        return None
    hidden = np.ma.getmaskarray(values)
    if hidden.dtype.names is None and hidden.any():
        where = tuple(int(k) for k in np.argwhere(hidden)[0]) if hidden.ndim else ()
        place.part(*where).refuse("is masked, a missing value; fill it in or drop its row")
    return np.asarray(values.data)


def categories_of(values: Any) -> Sequence[Any] | None:
    """The categories of a categorical column of pandas in their order, None of anything else."""
    if not is_column(values) or type(values.dtype).__name__ != "CategoricalDtype":
        return None
    return list(getattr(values, "cat", values).categories)


def in_another_order(first: Any, second: Any) -> bool:
    """Whether two objects of pandas have indices with the same labels in another order."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not all(isinstance(one, pandas.DataFrame | pandas.Series) for one in (first, second)):
        return False
    if len(first) != len(second) or first.index.equals(second.index):
        return False
    if not (first.index.is_unique and second.index.is_unique):
        return False
    return bool(first.index.isin(second.index).all())
