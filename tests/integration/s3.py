"""What lies in the store of the stack."""

from __future__ import annotations

import json
from typing import Any

import boto3

from tests.integration.compose import Stack


def objects(stack: Stack, bucket: str) -> dict[str, str]:
    """The keys of a bucket with their ETags."""
    pages = _client(stack).get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {each["Key"]: each["ETag"] for page in pages for each in page.get("Contents", ())}


def tables(stack: Stack) -> dict[str, str]:
    """Every table of the lake but models', with its ETag: a hash of its bytes."""
    found = objects(stack, "lake")
    return {
        key: tag
        for key, tag in found.items()
        if key.endswith(".parquet") and not key.startswith("provender/models/")
    }


def torn(stack: Stack) -> list[str]:
    """Files that the manifest of a folder of the lake names, and that are not there as it says."""
    client, missing = _client(stack), []
    found = objects(stack, "lake")
    for key in found:
        if key.endswith("/_files.json"):
            manifest = json.load(client.get_object(Bucket="lake", Key=key)["Body"])
            named = [
                f"{key.removesuffix('_files.json')}{each['object']}" for each in manifest.values()
            ]
            missing += [each for each in named if each not in found]
    return missing


def _client(stack: Stack) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=stack.address(8333),
        aws_access_key_id="any",
        aws_secret_access_key="any",
        region_name="us-east-1",
    )
