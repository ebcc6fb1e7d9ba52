"""AWS Signature Version 4 as botocore makes it, and the signatures of chunks, which botocore does not make.

As a program it answers lines of JSON with lines of JSON: an oracle for tests.
"""

import hashlib
import hmac
import json
import sys

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def head_signature(request, secret):
    """The hexadecimal signature of a request's head.

    `request` has method, url (without X-Amz-Signature), headers (those that are signed), payload_hash, timestamp, region
    and service.
    """
    kind = S3SigV4Auth if request['service'] == 's3' else SigV4Auth
    auth = kind(Credentials('unused', secret), request['service'], request['region'])
    auth.payload = lambda _: request['payload_hash']
    made = AWSRequest(method=request['method'], url=request['url'], headers=dict(request['headers']))
    made.context['timestamp'] = request['timestamp']
    text = auth.string_to_sign(made, auth.canonical_request(made))
    return auth.signature(text, made), text


def chunk_signature(secret, scope, timestamp, previous, data):
    """Of one chunk. Amazon S3 API reference, "Transferring payload in multiple chunks"."""
    hashes = [hashlib.sha256(b'').hexdigest(), hashlib.sha256(data).hexdigest()]
    return _chained(secret, scope, ['AWS4-HMAC-SHA256-PAYLOAD', timestamp, scope, previous] + hashes)


def trailer_signature(secret, scope, timestamp, previous, trailers):
    """Of the headers after the last chunk, which are pairs of lower-case name and value."""
    text = ''.join(f'{name}:{value}\n' for name, value in sorted(trailers))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return _chained(secret, scope, ['AWS4-HMAC-SHA256-TRAILER', timestamp, scope, previous, digest])


def _chained(secret, scope, lines):
    key = ('AWS4' + secret).encode()
    for part in scope.split('/'):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, '\n'.join(lines).encode(), hashlib.sha256).hexdigest()


def main():
    for line in sys.stdin:
        asked = json.loads(line)
        signature, text = head_signature(asked, asked['secret'])
        print(json.dumps({'signature': signature, 'text': text}), flush=True)


if __name__ == '__main__':
    main()
