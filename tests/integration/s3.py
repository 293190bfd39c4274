"""What lies in the store of the stack."""

from __future__ import annotations

import boto3

from tests.integration.compose import Stack


def objects(stack: Stack, bucket: str) -> dict[str, str]:
    """The keys of a bucket with their ETags."""
    client = boto3.client(
        "s3",
        endpoint_url=stack.address(8333),
        aws_access_key_id="any",
        aws_secret_access_key="any",
        region_name="us-east-1",
    )
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {each["Key"]: each["ETag"] for page in pages for each in page.get("Contents", ())}
