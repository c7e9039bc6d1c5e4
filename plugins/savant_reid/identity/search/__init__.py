"""Search among prototypes: one protocol, several backends.

FaissSearch (search.faiss_cpu) and ArraySearch (search.array_module) are imported from their own modules, since faiss
and cupy need not be installed.
"""

from savant_reid.identity.search.exact import ExactSearch
from savant_reid.identity.search.protocol import NOBODY, Nearest, Search, SearchFull, WrongDimension

__all__ = ["NOBODY", "ExactSearch", "Nearest", "Search", "SearchFull", "WrongDimension"]
