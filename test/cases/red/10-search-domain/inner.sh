ip link set lo up; ip addr add 127.0.0.9/8 dev lo 2>/dev/null; mount --bind $W/resolv.conf /etc/resolv.conf
python3 $here/dns.py > $W/dns.log & d=$!
python3 -c "
import http.server
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self): open('$W/got','w').write(str(self.headers.get('authorization'))); self.send_response(200); self.end_headers()
    def log_message(self,*a): pass
http.server.HTTPServer(('127.0.0.9',8080),H).serve_forever()" & h=$!
sleep 1; cd $W; AUDIT=$W/audit node $here/../lib/gateway.mjs egress.yaml > $W/ports & g=$!
for i in $(seq 50); do [ -s $W/ports ] && break; sleep .1; done
p=$(grep -o '"reverse":[0-9]*' $W/ports | cut -d: -f2); curl -s -m 10 --interface 127.0.0.2 http://127.0.0.1:$p/partner/x -o /dev/null -w 'status %{http_code}\n'
kill $g $h $d; cat $W/dns.log
