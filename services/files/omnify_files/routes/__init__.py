"""The API of the files service: uploads by tus, and the files that came of them."""

from omnify_files.routes.files import router as files
from omnify_files.routes.uploads import UPLOADS
from omnify_files.routes.uploads import router as uploads
from omnify_shared.exports import export_router

ROUTERS = (uploads, files, export_router())
__all__ = ["ROUTERS", "UPLOADS"]
