"""Bodies of `/api/rbac`."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field, model_validator
from pydantic_core import PydanticCustomError

from omnify_auth.schemas.types import Input, Name, Output
from omnify_shared.permissions import PERMISSIONS

ResourceType = Literal["campaign", "creative", "analytics", "integration", "user", "organization", "agent", "settings"]


def _known(value: str) -> str:
    if value not in PERMISSIONS:
        raise PydanticCustomError("permission", "must be one of the permissions")
    return value


Permission = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": sorted(PERMISSIONS)})]

ResourceId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]


class RoleOut(Output):
    role_id: str
    name: str
    description: str
    permissions: tuple[str, ...]
    is_system_role: bool


class RoleIn(Input):
    name: Annotated[Name, Field(max_length=80, description="Unique in the organisation, whatever its case.")]
    description: Annotated[str, Field(max_length=300)] = ""
    permissions: Annotated[tuple[Permission, ...], Field(max_length=len(PERMISSIONS), description="May be none.")]


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


class GrantIn(Input):
    user_id: UUID
    resource_type: ResourceType
    resource_id: ResourceId
    permissions: Annotated[tuple[Permission, ...], Field(min_length=1, max_length=6)]
    expires_at: AwareDatetime


class RevokeIn(Input):
    user_id: UUID
    resource_type: ResourceType
    resource_id: ResourceId


class GrantOut(Output):
    resource_type: str
    resource_id: str
    permissions: tuple[str, ...]
    expires_at: datetime
    given_by: str


class GrantsOut(Output):
    grants: tuple[GrantOut, ...]
    count: int


class ResourcePermissionOut(Output):
    resource_type: str
    resource_id: str
    permissions: tuple[str, ...]
    expires_at: datetime


class PermissionsOut(Output):
    roles: tuple[str, ...]
    role_permissions: tuple[str, ...] = Field(description="What the roles give together, sorted.")
    resource_permissions: tuple[ResourcePermissionOut, ...] = Field(description="What was granted on one resource.")


def prefix_of(resource_type: ResourceType) -> str:
    """What the permissions of that type of resource begin with."""
    return "org" if resource_type == "organization" else resource_type


def type_of(prefix: str) -> str:
    """The type of resource that permissions with that prefix are about."""
    return "organization" if prefix == "org" else prefix
