"""Pages as clients ask for them."""

from msgspec import Struct

from tams_common.http.message import Request
from tams_common.http.paging import Paging
from tams_common.http.query import Params


class Limits(Struct, frozen=True):
    """Rows on a page without `limit`, and at most (PAG-2, PAG-3)."""

    default: int
    maximum: int

    def paging(self, request: Request, params: Params) -> Paging:
        """Which page `request` asks for."""
        return Paging(request, params, default=self.default, maximum=self.maximum)
