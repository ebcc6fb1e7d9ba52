"""A strict mock server for S3 on a loopback port: objects in memory, one pair of keys, buckets in the host or in the path.

    python3 s3.py ACCESS_KEY SECRET_KEY REGION [SESSION_TOKEN]

Prints `listening PORT`, then a line of JSON for every request. Every signature is checked with botocore's, as are clocks,
scopes, expiries, the hashes of bodies, the signatures of chunks and the checksums in trailers.
"""

import base64
import hashlib
import hmac
import json
import re
import sys
import threading
import zlib
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote
from xml.sax.saxutils import escape

from aws_signature import chunk_signature, head_signature, trailer_signature

ACCESS_KEY, SECRET_KEY, REGION = sys.argv[1:4]
SESSION_TOKEN = sys.argv[4] if len(sys.argv) > 4 else None
OBJECTS = {}
UPLOADS = {}
REPORTING = threading.Lock()
SKEW = timedelta(minutes=15)


class Refused(Exception):
    def __init__(self, code, message='', status=403):
        super().__init__(code)
        self.code, self.message, self.status = code, message, status


def require(condition, code, message='', status=403):
    if not condition:
        raise Refused(code, message, status)


def checked_time(timestamp):
    require(re.fullmatch(r'\d{8}T\d{6}Z', timestamp or ''), 'AccessDenied', 'no date')
    return datetime.strptime(timestamp, '%Y%m%dT%H%M%SZ').replace(tzinfo=timezone.utc)


def checked_scope(credential, timestamp):
    scope = f'{timestamp[:8]}/{REGION}/s3/aws4_request'
    key, _, rest = credential.partition('/')
    require(key == ACCESS_KEY, 'InvalidAccessKeyId', f'{key} is not known')
    require(rest == scope, 'AuthorizationHeaderMalformed', f'expected {scope}', 400)
    return scope


class Signed:
    """The signature parameters of a request."""

    def __init__(self, handler):
        self.handler = handler
        authorization = handler.header('authorization')
        names = {name for name, _ in handler.query}
        require(not (authorization and 'X-Amz-Signature' in names), 'InvalidArgument', 'two signatures', 400)
        (self.from_header if authorization else self.from_query)(authorization)

    def from_header(self, authorization):
        match = re.fullmatch(
            r'AWS4-HMAC-SHA256 Credential=(\S+), ?SignedHeaders=(\S+), ?Signature=([0-9a-f]{64})', authorization)
        require(match, 'AuthorizationHeaderMalformed', authorization, 400)
        credential, names, self.signature = match.groups()
        self.timestamp = self.handler.header('x-amz-date')
        require(abs(datetime.now(timezone.utc) - checked_time(self.timestamp)) < SKEW, 'RequestTimeTooSkewed')
        self.scope = checked_scope(credential, self.timestamp)
        require(self.handler.header('x-amz-security-token') == SESSION_TOKEN, 'InvalidToken')
        self.payload_hash = self.handler.header('x-amz-content-sha256')
        require(self.payload_hash, 'InvalidRequest', 'x-amz-content-sha256 is missing', 400)
        self.names = names.split(';')
        self.check(self.handler.target)

    def from_query(self, _):
        values = dict(self.handler.query)
        require(values.get('X-Amz-Algorithm') == 'AWS4-HMAC-SHA256', 'AccessDenied', 'not signed')
        self.timestamp, self.signature = values.get('X-Amz-Date'), values.get('X-Amz-Signature')
        begun = checked_time(self.timestamp)
        now = datetime.now(timezone.utc)
        require(begun - SKEW < now, 'AccessDenied', 'Request is not yet valid')
        require(now < begun + timedelta(seconds=int(values['X-Amz-Expires'])), 'AccessDenied', 'Request has expired')
        self.scope = checked_scope(values['X-Amz-Credential'], self.timestamp)
        require(values.get('X-Amz-Security-Token') == SESSION_TOKEN, 'InvalidToken')
        self.payload_hash = self.handler.header('x-amz-content-sha256') or 'UNSIGNED-PAYLOAD'
        self.names = values['X-Amz-SignedHeaders'].split(';')
        self.check(re.sub(r'&?X-Amz-Signature=[^&]*', '', self.handler.target))

    def check(self, target):
        require('host' in self.names, 'AccessDenied', 'host is not signed')
        for name in self.handler.headers.keys():
            known = not name.lower().startswith('x-amz-') or name.lower() in self.names
            require(known, 'AccessDenied', f'{name} is not signed')
        headers = {name: self.handler.header(name) or '' for name in self.names}
        expected, text = head_signature({
            'method': self.handler.command,
            'url': f'https://{self.handler.header("host")}{target}',
            'headers': headers,
            'payload_hash': self.payload_hash,
            'timestamp': self.timestamp,
            'region': REGION,
            'service': 's3',
        }, SECRET_KEY)
        # Like S3: the error for a wrong signature contains the key id.
        require(hmac.compare_digest(expected, self.signature), 'SignatureDoesNotMatch', f'{ACCESS_KEY} {text}')

    def body(self):
        """The body, if it matches the signature."""
        raw = self.handler.raw_body()
        stated = self.payload_hash
        if stated == 'UNSIGNED-PAYLOAD':
            return raw
        if stated.startswith('STREAMING-'):
            body = self.decoded(raw, stated)
            length = self.handler.header('x-amz-decoded-content-length')
            require(length is not None and int(length) == len(body), 'IncompleteBody', '', 400)
            return body
        require(hashlib.sha256(raw).hexdigest() == stated, 'XAmzContentSHA256Mismatch', '', 400)
        return raw

    def decoded(self, raw, stated):
        """An aws-chunked body without its framing."""
        signed = not stated.startswith('STREAMING-UNSIGNED')
        previous, parts, at = self.signature, [], 0
        while True:
            end = raw.index(b'\r\n', at)
            size, _, extension = raw[at:end].decode().partition(';')
            length, at = int(size, 16), end + 2
            data = raw[at:at + length]
            require(len(data) == length, 'IncompleteBody', '', 400)
            if signed:
                previous = chunk_signature(SECRET_KEY, self.scope, self.timestamp, previous, data)
                require(extension == f'chunk-signature={previous}', 'SignatureDoesNotMatch', 'chunk')
            at += length
            if length == 0:
                break
            require(raw[at:at + 2] == b'\r\n', 'IncompleteBody', '', 400)
            at += 2
            parts.append(data)
        body = b''.join(parts)
        lines = [line for line in raw[at:].decode().split('\r\n') if line != '']
        trailers = [tuple(line.split(':', 1)) for line in lines]
        if stated.endswith('-TRAILER'):
            self.check_trailers(body, [(name.lower(), value.strip()) for name, value in trailers], signed, previous)
        else:
            require(not trailers, 'IncompleteBody', 'a trailer that was not announced', 400)
        return body

    def check_trailers(self, body, trailers, signed, previous):
        values = [(name, value) for name, value in trailers if name != 'x-amz-trailer-signature']
        require([name for name, _ in values] == [self.handler.header('x-amz-trailer')], 'MalformedTrailerError')
        if signed:
            expected = trailer_signature(SECRET_KEY, self.scope, self.timestamp, previous, values)
            require(('x-amz-trailer-signature', expected) in trailers, 'SignatureDoesNotMatch', 'trailer')
        for name, value in values:
            checksum = {
                'x-amz-checksum-crc32': lambda: zlib.crc32(body).to_bytes(4, 'big'),
                'x-amz-checksum-sha256': lambda: hashlib.sha256(body).digest(),
            }.get(name)
            require(checksum is not None, 'MalformedTrailerError', name)
            require(base64.b64encode(checksum()).decode() == value, 'BadDigest', name, 400)


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def header(self, name):
        values = self.headers.get_all(name)
        # Python reads heads as latin1; signatures are of bytes.
        return None if values is None else ','.join(values).encode('latin1').decode('utf-8')

    def raw_body(self):
        if self.read is None:
            chunked = self.headers.get('transfer-encoding') is not None
            length = int(self.headers.get('content-length', '0'))
            self.read = self.chunked() if chunked else self.rfile.read(length)
            require(chunked or len(self.read) == length, 'IncompleteBody', '', 400)
        return self.read

    def chunked(self):
        parts = []
        while True:
            size = int(self.rfile.readline().split(b';')[0], 16)
            parts.append(self.rfile.read(size))
            self.rfile.readline()
            if size == 0:
                return b''.join(parts)

    def handle_any(self):
        self.read = None
        self.target = self.requestline.split(' ')[1]
        path, _, query = self.target.partition('?')
        self.query = parse_qsl(query, keep_blank_values=True)
        self.path_sent, error = path, None
        try:
            require(path == quote(unquote(path), safe='/~'), 'InvalidURI', 'not in the canonical form', 400)
            body = Signed(self).body()
            in_host, _, rest = self.header('host').partition('.s3.')
            bucket, _, key = (f'{in_host}{unquote(path)}' if rest else unquote(path)[1:]).partition('/')
            status, headers, answer = self.serve(bucket, key, dict(self.query), body)
        except Refused as refused:
            self.raw_body()
            error, status, headers = refused.code, refused.status, {'content-type': 'application/xml'}
            answer = (f'<?xml version="1.0"?><Error><Code>{refused.code}</Code>'
                      f'<Message>{escape(refused.message)}</Message></Error>').encode()
        report({'method': self.command, 'host': self.header('host'), 'target': self.target, 'status': status,
                'error': error, 'payload': self.headers.get('x-amz-content-sha256')})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header('content-length', headers.get('x-length', str(len(answer))))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(answer)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

    def serve(self, bucket, key, query, body):
        if bucket == '':
            return xml('<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>')
        if key == '':
            return self.serve_bucket(bucket, query, body)
        if 'uploads' in query or 'uploadId' in query:
            return self.serve_upload(bucket, key, query, body)
        if self.command == 'PUT':
            OBJECTS[bucket, key] = body
            return 200, {'etag': etag(body)}, b''
        if self.command == 'DELETE':
            OBJECTS.pop((bucket, key), None)
            return 204, {}, b''
        require((bucket, key) in OBJECTS, 'NoSuchKey', key, 404)
        return self.serve_object(OBJECTS[bucket, key])

    def serve_object(self, data):
        headers = {'etag': etag(data), 'content-type': 'binary/octet-stream', 'accept-ranges': 'bytes',
                   'last-modified': 'Wed, 01 Jan 2025 00:00:00 GMT'}
        asked = re.fullmatch(r'bytes=(\d+)-(\d*)', self.headers.get('range', ''))
        if self.command == 'HEAD':
            return 200, {**headers, 'x-length': str(len(data))}, b''
        if asked is None:
            return 200, headers, data
        first, last = int(asked[1]), min(int(asked[2] or len(data) - 1), len(data) - 1)
        headers['content-range'] = f'bytes {first}-{last}/{len(data)}'
        return 206, headers, data[first:last + 1]

    def serve_bucket(self, bucket, query, body):
        if 'delete' in query:
            for key in re.findall(r'<Key>(.*?)</Key>', body.decode()):
                OBJECTS.pop((bucket, key), None)
            return xml('<DeleteResult/>')
        prefix = query.get('prefix', '')
        keys = sorted(key for owner, key in OBJECTS if owner == bucket and key.startswith(prefix))
        entries = ''.join(
            f'<Contents><Key>{escape(quote(key, safe="/~") if query.get("encoding-type") == "url" else key)}</Key>'
            f'<Size>{len(OBJECTS[bucket, key])}</Size><LastModified>2025-01-01T00:00:00.000Z</LastModified></Contents>'
            for key in keys)
        return xml(f'<ListBucketResult><Name>{bucket}</Name><KeyCount>{len(keys)}</KeyCount>'
                   f'<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>')

    def serve_upload(self, bucket, key, query, body):
        if 'uploads' in query:
            upload = f'upload-{len(UPLOADS)}'
            UPLOADS[upload] = {}
            return xml(f'<InitiateMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{escape(key)}</Key>'
                       f'<UploadId>{upload}</UploadId></InitiateMultipartUploadResult>')
        parts = UPLOADS.get(query['uploadId'])
        require(parts is not None, 'NoSuchUpload', '', 404)
        if self.command == 'PUT':
            parts[int(query['partNumber'])] = body
            return 200, {'etag': etag(body)}, b''
        if self.command == 'DELETE':
            del UPLOADS[query['uploadId']]
            return 204, {}, b''
        asked = [int(number) for number in re.findall(r'<PartNumber>(\d+)</PartNumber>', body.decode())]
        require(asked == sorted(parts), 'InvalidPart', '', 400)
        OBJECTS[bucket, key] = b''.join(parts[number] for number in asked)
        return xml(f'<CompleteMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{escape(key)}</Key>'
                   f'<ETag>"{len(asked)}"</ETag></CompleteMultipartUploadResult>')


def report(record):
    with REPORTING:
        print(json.dumps(record), flush=True)


def etag(data):
    return f'"{hashlib.md5(data).hexdigest()}"'


def xml(text):
    return 200, {'content-type': 'application/xml'}, f'<?xml version="1.0"?>{text}'.encode()


class Server(ThreadingHTTPServer):
    daemon_threads = True


if __name__ == '__main__':
    server = Server(('127.0.0.1', 0), Handler)
    print(f'listening {server.server_address[1]}', flush=True)
    server.serve_forever()
