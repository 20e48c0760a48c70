"""`/api/rbac`: the roles there are, and what the caller may do."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response, status

from omnify_auth.deps import NO_STORE, ServiceDep
from omnify_auth.records import ResourceGrant
from omnify_auth.role_book import CustomRole
from omnify_auth.schemas.rbac import (
    CheckIn,
    CheckOut,
    GrantIn,
    GrantOut,
    GrantsOut,
    PermissionsOut,
    ResourcePermissionOut,
    RevokeIn,
    RoleIn,
    RoleOut,
    RolesOut,
    prefix_of,
    type_of,
)
from omnify_auth.system_roles import SYSTEM_ROLES, Role
from omnify_shared.identity import CurrentPrincipal, Grant, Principal, allowed, current_principal, fresh

router = APIRouter(prefix="/api/rbac", tags=["rbac"])
Owner = Annotated[Principal, Depends(allowed("org:admin"))]
Editor = Annotated[Principal, Depends(allowed("user:edit"))]
Viewer = Annotated[Principal, Depends(allowed("user:view"))]


@router.get("/roles")
async def roles(principal: CurrentPrincipal, service: ServiceDep) -> RolesOut:
    """The roles of the caller's organisation, with their permissions: the five that all have, then its own."""
    book = await service.roles.book(principal.organization_id)
    found: tuple[Role | CustomRole, ...] = (*SYSTEM_ROLES, *book.roles)
    return RolesOut(roles=tuple(_out(one) for one in found), count=len(found))


@router.post("/roles", status_code=status.HTTP_201_CREATED, dependencies=[Depends(fresh)])
async def create(form: RoleIn, principal: Owner, service: ServiceDep) -> RoleOut:
    """Makes a role of the organisation's own. Wants a fresh sign-in; 409 for a name in use."""
    return _out(await service.roles.create(principal, form.name, form.description, form.permissions))


@router.get("/roles/{role_id}")
async def one_role(role_id: str, principal: CurrentPrincipal, service: ServiceDep) -> RoleOut:
    """One role. 404 for any other."""
    return _out((await service.roles.book(principal.organization_id)).one(role_id))


@router.put("/roles/{role_id}", dependencies=[Depends(fresh)])
async def change(role_id: UUID, form: RoleIn, principal: Owner, service: ServiceDep) -> RoleOut:
    """Replaces a role of the organisation's own; holds for all who have it, in every service within seconds.

    Wants a fresh sign-in.
    """
    return _out(await service.roles.change(principal, str(role_id), form.name, form.description, form.permissions))


@router.delete("/roles/{role_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=[Depends(fresh)])
async def delete(role_id: UUID, principal: Owner, service: ServiceDep) -> None:
    """Takes a role of the organisation's own away. 409 while somebody has it, or is invited to it."""
    await service.roles.delete(principal, str(role_id))


@router.post("/permissions/check")
async def check(form: CheckIn, principal: CurrentPrincipal, response: Response) -> CheckOut:
    """Whether the caller has a permission, as the access token says; nothing is read."""
    response.headers.update(NO_STORE)
    about = form.resource_type and prefix_of(form.resource_type) == form.permission.partition(":")[0]
    has = principal.may(form.permission, form.resource_id if about else None)
    return CheckOut(has_permission=has, permission=form.permission)


@router.get("/permissions")
async def permissions(principal: CurrentPrincipal, response: Response) -> PermissionsOut:
    """What the caller may do in the organisation of the session."""
    response.headers.update(NO_STORE)
    return PermissionsOut(
        roles=principal.roles,
        role_permissions=tuple(sorted(principal.permissions)),
        resource_permissions=tuple(_held(one) for one in principal.grants if one.permissions),
    )


@router.post("/permissions/resource/grant", dependencies=[Depends(fresh)])
async def grant(form: GrantIn, principal: Editor, service: ServiceDep) -> GrantOut:
    """Grants a member permissions on one resource, at most for a year; in place of what was granted on it before.

    Nobody gives what they lack: 403. 404 for who is no member. Wants a fresh sign-in. The member's tokens of before are
    out of date.
    """
    wanted = ResourceGrant(
        resource_type=prefix_of(form.resource_type),
        resource_id=form.resource_id,
        permissions=tuple(sorted(set(form.permissions))),
        expires_at=form.expires_at,
        given_by=principal.user_id,
    )
    return _granted(await service.grants.give(principal, str(form.user_id), wanted))


@router.post("/permissions/resource/revoke", status_code=status.HTTP_204_NO_CONTENT, dependencies=[Depends(fresh)])
async def revoke(form: RevokeIn, principal: Editor, service: ServiceDep) -> None:
    """Takes what was granted on a resource; every service refuses within seconds. 404 where nothing was."""
    await service.grants.revoke(principal, str(form.user_id), prefix_of(form.resource_type), form.resource_id)


@router.get("/permissions/resource/{user_id:uuid}", dependencies=[Depends(current_principal)])
async def grants(user_id: UUID, principal: Viewer, service: ServiceDep, response: Response) -> GrantsOut:
    """What a member of the organisation was granted and still has."""
    response.headers.update(NO_STORE)
    found = await service.grants.of(principal, str(user_id))
    return GrantsOut(grants=tuple(_granted(one) for one in found), count=len(found))


def _granted(one: ResourceGrant) -> GrantOut:
    return GrantOut(**one.model_dump() | {"resource_type": type_of(one.resource_type)})


def _held(one: Grant) -> ResourcePermissionOut:
    return ResourcePermissionOut(
        resource_type=type_of(next(iter(one.permissions)).partition(":")[0]),
        resource_id=one.resource_id,
        permissions=tuple(sorted(one.permissions)),
        expires_at=one.expires_at,
    )


def _out(one: Role | CustomRole) -> RoleOut:
    system = isinstance(one, Role)
    return RoleOut(
        role_id=one.role_id,
        name=one.role_id.title() if isinstance(one, Role) else one.name,
        description=one.description,
        permissions=one.permissions,
        is_system_role=system,
    )
