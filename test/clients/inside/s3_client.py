import io
import os
import sys
import urllib.request

import boto3
from botocore.config import Config

# Without the endpoint, presigned URLs have a host without a region.
s3 = boto3.client(
    "s3",
    endpoint_url=f"https://s3.{os.environ['AWS_DEFAULT_REGION']}.amazonaws.com",
    config=Config(s3={"addressing_style": "virtual"}),
)
bucket = "reports"
if sys.argv[1] == "allowed":
    s3.put_object(Bucket=bucket, Key="dir/report", Body=b"a report")
    assert s3.get_object(Bucket=bucket, Key="dir/report")["Body"].read() == b"a report"
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="dir/")["KeyCount"]
    big, back = os.urandom(64 * 1024 * 1024), io.BytesIO()
    s3.upload_fileobj(io.BytesIO(big), bucket, "big")
    s3.download_fileobj(bucket, "big", back)
    assert back.getvalue() == big
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "dir/report"}, ExpiresIn=60)
    assert urllib.request.urlopen(url).read() == b"a report"
    print(f"{listed} object, 64 MiB in parts and back, presigned")
else:
    s3.delete_object(Bucket=bucket, Key="dir/report")
    print("deleted")
