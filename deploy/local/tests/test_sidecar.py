"""The sidecar fixtures themselves, on a real daprd."""

import grpc
import httpx2 as httpx
import pytest
from dapr.proto import api_service_v1, api_v1, common_v1

from omnify_local.errors import LocalError
from omnify_shared.testing import ExtraApp, Sidecar
from omnify_shared.testing.plugin import NewHome, NewSidecar


def _save_and_read(sidecar: Sidecar, value: bytes | None) -> bytes:
    token = (("dapr-api-token", sidecar.home.dapr_api_token),)
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.ports.grpc}") as channel:
        stub = api_service_v1.DaprStub(channel)
        if value is not None:
            state = common_v1.StateItem(key="k", value=value)
            stub.SaveState(api_v1.SaveStateRequest(store_name="statestore", states=[state]), metadata=token)
        return bytes(stub.GetState(api_v1.GetStateRequest(store_name="statestore", key="k"), metadata=token).data)


def test_state_survives_a_crash_of_the_sidecar(new_home: NewHome, new_sidecar: NewSidecar) -> None:
    sidecar = new_sidecar(new_home("local", extra=[ExtraApp("probe")]), "probe")
    assert _save_and_read(sidecar, b'"$5.00"') == b'"$5.00"'
    sidecar.kill()
    sidecar.start()
    assert _save_and_read(sidecar, None) == b'"$5.00"'


def test_only_the_listed_apis_answer_and_only_with_the_token(new_home: NewHome, new_sidecar: NewSidecar) -> None:
    sidecar = new_sidecar(new_home("local"), "auth")
    with httpx.Client(base_url=sidecar.url, headers=sidecar.headers) as client:
        assert client.get("/v1.0/state/statestore/k").status_code == 404
        assert client.get("/v1.0/secrets/secretstore/auth-pepper").status_code == 404
        assert client.get("/v1.0/metadata").status_code == 200
    assert httpx.get(f"{sidecar.url}/v1.0/metadata").status_code == 401


def test_secrets_of_others_and_of_the_infrastructure_stay_closed(new_home: NewHome, new_sidecar: NewSidecar) -> None:
    sidecar = new_sidecar(new_home("local"), "auth")
    token = (("dapr-api-token", sidecar.home.dapr_api_token),)

    def read(store: str, key: str) -> str:
        request = api_v1.GetSecretRequest(store_name=store, key=key)
        try:
            return str(stub.GetSecret(request, metadata=token).data[key])
        except grpc.RpcError as error:
            return str(error.code().name)

    with grpc.insecure_channel(f"127.0.0.1:{sidecar.ports.grpc}") as channel:
        stub = api_service_v1.DaprStub(channel)
        assert len(read("secretstore", "auth-pepper")) == 43
        assert read("secretstore", "sendgrid-api-key") == "INTERNAL"
        assert read("infrastructure", "redis-host") == "PERMISSION_DENIED"


def test_a_sidecar_that_cannot_start_says_why(new_home: NewHome, new_sidecar: NewSidecar) -> None:
    home = new_home("local")
    home.set_metadata("pubsub", redisHost="127.0.0.1:1")
    with pytest.raises(LocalError, match="connection refused"):
        new_sidecar(home, "auth")
