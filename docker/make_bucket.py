"""Makes the bucket S3_BUCKET where it is not there yet."""

import os

import boto3
from botocore.exceptions import ClientError

name = os.environ["S3_BUCKET"]
client = boto3.client("s3")
try:
    client.head_bucket(Bucket=name)
    print(f"{name} is there")
except ClientError as error:
    if error.response["Error"]["Code"] != "404":
        raise
    client.create_bucket(Bucket=name)
    print(f"{name} made")
