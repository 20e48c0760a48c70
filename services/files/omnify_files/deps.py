"""Dependencies of the routes. Which permission is needed depends on a file's purpose (`kinds.RULES`)."""

from typing import Annotated

from fastapi import Depends

from omnify_files.service import FilesService
from omnify_shared.deps import service_of

ServiceDep = Annotated[FilesService, Depends(service_of(FilesService))]
