"""`/docs`: Swagger UI out of its package, for the store's own description; nothing comes from elsewhere."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tams_common.errors import NotFound
from tams_common.http.message import Request, Response

_FILES: Final = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "application/javascript; charset=utf-8",
}
_START: Final = "start.js"
_CACHED: Final = "public, max-age=86400"
_POLICY: Final = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; connect-src *"
_PAGE: Final = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Time-addressable Media Store</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_SCRIPT: Final = b"""SwaggerUIBundle({
  url: "openapi.json", dom_id: "#ui", deepLinking: true, persistAuthorization: true, validatorUrl: null,
  docExpansion: "list", tryItOutEnabled: true
});
"""


class Docs:
    """The page and its files; paths in them are relative, so that they work under any prefix."""

    def __init__(self) -> None:
        found = find_spec("swagger_ui")
        self._folder = Path(found.origin).parent / "static" if found and found.origin else Path()

    async def page(self, request: Request) -> Response:
        """The page itself."""
        headers = {"content-type": "text/html; charset=utf-8", "content-security-policy": _POLICY}
        return Response(200, _PAGE, headers)

    async def file(self, request: Request) -> Response:
        """What the page loads."""
        name = request.params["file"]
        if name == _START:
            return Response(200, _SCRIPT, {"content-type": "application/javascript; charset=utf-8"})
        if name not in _FILES:
            raise NotFound(f"the documentation has no file {name!r}")
        content = (self._folder / name).read_bytes()
        return Response(200, content, {"content-type": _FILES[name], "cache-control": _CACHED})
