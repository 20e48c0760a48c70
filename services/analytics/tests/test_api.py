"""The API as it describes itself."""

from openapi_spec_validator import validate

from omnify_analytics.app import create_app
from omnify_analytics.settings import AnalyticsSettings


def test_the_openapi_document_is_valid_and_whole() -> None:
    document = create_app(AnalyticsSettings(OMNIFY_ENVIRONMENT="test")).openapi()
    validate(document)
    upload = document["paths"]["/api/analytics/imports/orders"]["post"]
    form = upload["requestBody"]["content"]["multipart/form-data"]["schema"]
    reference = form["properties"]["options"]["$ref"].removeprefix("#/components/schemas/")
    options = document["components"]["schemas"][reference]
    assert set(options["properties"]) == {"delimiter", "has_header", "date_format", "currency", "columns"}
    assert set(upload["responses"]) >= {"202"}
