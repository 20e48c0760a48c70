"""Bodies of `/api/organizations`."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from omnify_auth.addresses import EmailAddress
from omnify_auth.schemas.accounts import UserOut
from omnify_auth.schemas.types import Input, Locale, Name, NewPassword, Output, Token
from omnify_auth.system_roles import SYSTEM_ROLES

_MAILED = "From the mail's link, behind `/accept-invitation#token=`. Works once, for 72 hours."
_ROLES = [role.role_id for role in SYSTEM_ROLES]
RoleId = Annotated[str, Field(min_length=1, max_length=64, examples=_ROLES)]
Roles = Annotated[tuple[RoleId, ...], Field(min_length=1, max_length=10)]
InvitationToken = Annotated[Token, Field(description=_MAILED)]
MemberStatus = Literal["active", "disabled"]


class OrganizationIn(Input):
    name: Name


class OrganizationOut(Output):
    organization_id: str
    name: str
    created_at: datetime


class MyOrganizationOut(OrganizationOut):
    roles: tuple[str, ...]
    status: MemberStatus = Field(description="A disabled member can do nothing in the organisation.")
    is_current: bool = Field(description="Whether the session of this request works in it.")


class MyOrganizationsOut(Output):
    organizations: tuple[MyOrganizationOut, ...]
    count: int


class DeletionIn(Input):
    name: Annotated[Name, Field(description="The organisation's name, typed once more.")]


class DeletionOut(Output):
    status: Literal["deleting"]
    message: str


class SwitchedOut(Output):
    """The refresh token of the session stays as it is."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int = Field(description="Seconds until the access token expires.")
    session_id: str
    mfa_enrolment_required: bool
    user: UserOut


class MemberOut(Output):
    user_id: str
    email: str
    full_name: str
    roles: tuple[str, ...]
    status: MemberStatus


class MembersOut(Output):
    members: tuple[MemberOut, ...]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class MembersIn(Input):
    cursor: Annotated[str | None, Field(max_length=64)] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class MemberChangeIn(Input):
    roles: Roles | None = None
    disabled: bool | None = None


class TransferIn(Input):
    user_id: Annotated[str, Field(min_length=1, max_length=64)]


class InvitationIn(Input):
    email: EmailAddress
    role: RoleId


class InvitationOut(Output):
    invitation_id: str
    email: str
    role: str
    invited_by: str
    invited_at: datetime
    expires_at: datetime


class InvitationsOut(Output):
    invitations: tuple[InvitationOut, ...] = Field(description="Newest first.")
    count: int


class InvitationTokenIn(Input):
    token: InvitationToken


class OfferOut(Output):
    organization_name: str
    email: str
    role: str
    expires_at: datetime
    has_account: bool = Field(description="Then sign in to accept; otherwise register with the link.")


class InvitedIn(Input):
    token: InvitationToken
    full_name: Name
    password: NewPassword
    locale: Locale | None = Field(default=None, description="Without, what `Accept-Language` asks for first.")


class JoinedOut(Output):
    status: Literal["joined"]
    organization_id: str
