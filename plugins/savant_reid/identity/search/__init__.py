"""Search among prototypes: one protocol, several backends, and which one a site gets (choice).

The backends but ExactSearch are imported from their own modules, since faiss and cupy need not be installed.
"""

from savant_reid.identity.search.choice import MakeSearch, SearchName, SearchUnavailable, search_for
from savant_reid.identity.search.exact import ExactSearch
from savant_reid.identity.search.protocol import NOBODY, Nearest, Search, SearchFull, WrongDimension

__all__ = [
    "NOBODY",
    "ExactSearch",
    "MakeSearch",
    "Nearest",
    "Search",
    "SearchFull",
    "SearchName",
    "SearchUnavailable",
    "WrongDimension",
    "search_for",
]
