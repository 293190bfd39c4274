"""Makes the buckets that S3_BUCKETS names, where they are not there yet."""

import os

import boto3
from botocore.exceptions import ClientError

client = boto3.client("s3")
for name in os.environ["S3_BUCKETS"].split():
    try:
        client.head_bucket(Bucket=name)
        print(f"{name} is there")
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise
        client.create_bucket(Bucket=name)
        print(f"{name} made")
