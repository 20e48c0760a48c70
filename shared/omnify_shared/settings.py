"""Settings that every service has, read from the environment and frozen."""

from datetime import timedelta
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from omnify_shared.dapr.endpoints import Endpoint

Environment = Literal["development", "test", "production"]


class Settings(BaseSettings):
    """Common settings; a service subclasses it with its own `env_prefix` (`AUTH_`, …).

    The sidecar's ports, endpoints and tokens carry the names that Dapr itself sets for an app
    (https://docs.dapr.io/reference/environment/); endpoints name a sidecar that is elsewhere. Outside development both
    tokens are required: without them anyone who reaches a port could forge events or call the sidecar.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True)

    app_id: ClassVar[str]
    public: ClassVar[bool] = False

    environment: Environment = Field(default="development", validation_alias="OMNIFY_ENVIRONMENT")
    public_url: str = Field(default="http://localhost:8000", validation_alias="OMNIFY_PUBLIC_URL")
    log_level: str = Field(default="INFO", validation_alias="OMNIFY_LOG_LEVEL")
    dapr_http_port: int = Field(default=3500, validation_alias="DAPR_HTTP_PORT")
    dapr_grpc_port: int = Field(default=50001, validation_alias="DAPR_GRPC_PORT")
    dapr_http_endpoint: str | None = Field(default=None, validation_alias="DAPR_HTTP_ENDPOINT")
    dapr_grpc_endpoint: str | None = Field(default=None, validation_alias="DAPR_GRPC_ENDPOINT")
    dapr_api_token: SecretStr | None = Field(default=None, validation_alias="DAPR_API_TOKEN")
    app_api_token: SecretStr | None = Field(default=None, validation_alias="APP_API_TOKEN")
    metrics_token: SecretStr | None = Field(default=None, validation_alias="OMNIFY_METRICS_TOKEN")
    max_body_bytes: int = Field(default=1_048_576, validation_alias="OMNIFY_MAX_BODY_BYTES")
    idempotency_lease: timedelta = Field(
        default=timedelta(minutes=1), gt=timedelta(0), validation_alias="OMNIFY_IDEMPOTENCY_LEASE"
    )
    """After which a request with an `Idempotency-Key` that never ended counts as dead."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not hasattr(cls, "app_id"):
            raise TypeError(f"{cls.__name__} names no app_id")

    @field_validator(
        "dapr_api_token", "app_api_token", "metrics_token", "dapr_http_endpoint", "dapr_grpc_endpoint", mode="before"
    )
    @classmethod
    def _blank_is_none(cls, value: Any) -> Any:
        """A variable that is set to nothing must not become a token that an empty header matches."""
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        return None if isinstance(text, str) and not text.strip() else value

    @property
    def http_api(self) -> Endpoint:
        """The sidecar's HTTP API."""
        named = self.dapr_http_endpoint
        return Endpoint.parse(named) if named else Endpoint.beside(self.dapr_http_port)

    @property
    def grpc_api(self) -> Endpoint:
        """The sidecar's gRPC API."""
        named = self.dapr_grpc_endpoint
        return Endpoint.parse(named) if named else Endpoint.beside(self.dapr_grpc_port)

    @model_validator(mode="after")
    def _one_sidecar(self) -> Self:
        if bool(self.dapr_http_endpoint) != bool(self.dapr_grpc_endpoint):
            raise ValueError("set DAPR_HTTP_ENDPOINT and DAPR_GRPC_ENDPOINT together: both are the same sidecar's")
        apis = (self.http_api, self.grpc_api)
        if self.environment == "production" and any(api.in_the_clear for api in apis):
            raise ValueError("the sidecar's token would be sent in the clear: use https:// endpoints")
        return self

    @model_validator(mode="after")
    def _tokens_outside_development(self) -> Self:
        missing = [name for name in ("dapr_api_token", "app_api_token") if getattr(self, name) is None]
        if self.environment == "production" and missing:
            raise ValueError(f"set {' and '.join(name.upper() for name in missing)}: required in production")
        return self
