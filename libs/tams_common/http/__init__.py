"""The kit for handlers: codec, query, paging, problems, routing, health. aiohttp stands only in `edge` and `client`."""
