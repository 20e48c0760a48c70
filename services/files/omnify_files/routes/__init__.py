"""The API of the files service: uploads by tus, and the files that came of them."""

from omnify_files.routes.files import router as files
from omnify_files.routes.uploads import UPLOADS
from omnify_files.routes.uploads import router as uploads

ROUTERS = (uploads, files)
__all__ = ["ROUTERS", "UPLOADS"]
