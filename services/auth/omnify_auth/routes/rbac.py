"""`/api/rbac`: the roles there are, and what the caller may do. Answered from the access token alone."""

from fastapi import APIRouter, Response

from omnify_auth.deps import NO_STORE
from omnify_auth.schemas.rbac import CheckIn, CheckOut, PermissionsOut, RoleOut, RolesOut
from omnify_auth.system_roles import SYSTEM_ROLES, Role, role
from omnify_shared.identity import CurrentPrincipal

router = APIRouter(prefix="/api/rbac", tags=["rbac"])


@router.get("/roles")
async def roles(_: CurrentPrincipal) -> RolesOut:
    """The roles of the caller's organisation, with their permissions."""
    return RolesOut(roles=tuple(_out(one) for one in SYSTEM_ROLES), count=len(SYSTEM_ROLES))


@router.get("/roles/{role_id}")
async def one_role(role_id: str, _: CurrentPrincipal) -> RoleOut:
    """One role. 404 for any other."""
    return _out(role(role_id))


@router.post("/permissions/check")
async def check(form: CheckIn, principal: CurrentPrincipal, response: Response) -> CheckOut:
    """Whether the caller has a permission."""
    response.headers.update(NO_STORE)
    return CheckOut(has_permission=form.permission in principal.permissions, permission=form.permission)


@router.get("/permissions")
async def permissions(principal: CurrentPrincipal, response: Response) -> PermissionsOut:
    """What the caller may do in the organisation of the session."""
    response.headers.update(NO_STORE)
    return PermissionsOut(roles=principal.roles, role_permissions=tuple(sorted(principal.permissions)))


def _out(one: Role) -> RoleOut:
    return RoleOut(
        role_id=one.role_id,
        name=one.role_id.title(),
        description=one.description,
        permissions=one.permissions,
        is_system_role=True,
    )
