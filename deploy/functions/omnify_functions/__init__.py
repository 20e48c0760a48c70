"""Services as functions of a cloud. Importing this, or `aws` or `google`, loads no service: the first call does."""
