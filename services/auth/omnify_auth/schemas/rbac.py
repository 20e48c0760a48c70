"""Bodies of `/api/rbac`."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from omnify_auth.schemas.types import Input, Output
from omnify_shared.permissions import PERMISSIONS

ResourceType = Literal["campaign", "creative", "analytics", "integration", "user", "organization", "agent", "settings"]


def _known(value: str) -> str:
    if value not in PERMISSIONS:
        raise PydanticCustomError("permission", "must be one of the permissions")
    return value


Permission = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": sorted(PERMISSIONS)})]


class RoleOut(Output):
    role_id: str
    name: str
    description: str
    permissions: tuple[str, ...]
    is_system_role: bool


class RolesOut(Output):
    roles: tuple[RoleOut, ...]
    count: int


class CheckIn(Input):
    permission: Permission
    resource_type: ResourceType | None = Field(
        default=None, description="A role's permissions hold for all of the organisation's resources."
    )
    resource_id: str | None = Field(default=None, min_length=1, max_length=200)

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.resource_type is None) != (self.resource_id is None):
            raise ValueError("resource_type and resource_id come together")
        return self


class CheckOut(Output):
    has_permission: bool
    permission: str


class PermissionsOut(Output):
    roles: tuple[str, ...]
    role_permissions: tuple[str, ...] = Field(description="What the roles give together, sorted.")
