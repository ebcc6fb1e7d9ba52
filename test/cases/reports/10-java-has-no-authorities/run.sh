#!/bin/bash
# Java finds no trust anchor at all in the sandbox
# source: docker/sbx-releases#515, anthropics/claude-code#16222
# exit 0: the product is right; 1: it is wrong; 2: the case could not be tried. Needs EGRESS=<built checkout>, node, curl, python3.
set -u
: "${EGRESS:?path of a built checkout}"
W=$(mktemp -d); mkdir "$W/w"; chmod 755 "$W" "$W/w"; cd "$W/w" || exit 2
PIDS=(); trap 'for p in "${PIDS[@]}"; do kill "$p" 2>/dev/null; done; rm -rf "$W"' EXIT
export EGRESS_AUDIT_DIR="$W/audit"
unset EGRESS_POLICY NODE_EXTRA_CA_CERTS NODE_OPTIONS SSL_CERT_FILE HTTP_PROXY HTTPS_PROXY http_proxy https_proxy
egress() { node "$EGRESS/${EGRESS_MAIN:-dist/src/main.js}" "$@"; }
upstream() { # script on stdin; prints its port first
  cat > "$W/up.mjs"; node "$W/up.mjs" > "$W/port" 2> "$W/up.err" & PIDS+=("$!")
  for _ in $(seq 100); do [ -s "$W/port" ] && break; sleep 0.1; done
  PORT=$(head -1 "$W/port"); [ -n "$PORT" ] || { echo "no upstream: $(cat "$W/up.err")"; exit 2; }
}
verdict() { if [ "$1" = 1 ]; then echo "RIGHT: $2"; exit 0; else echo "WRONG: $2"; exit 1; fi; }
command -v java >/dev/null || { echo "no java here"; exit 2; }
printf 'allow: [ { host: pkg.example.com } ]\n' > egress.yaml
cat > T.java <<'J'
public class T { public static void main(String[] a) throws Exception {
  var f = javax.net.ssl.TrustManagerFactory.getInstance(javax.net.ssl.TrustManagerFactory.getDefaultAlgorithm()); f.init((java.security.KeyStore) null);
  int n = 0; boolean gateway = false;
  for (var m : f.getTrustManagers()) for (var c : ((javax.net.ssl.X509TrustManager) m).getAcceptedIssuers()) { n++; gateway |= c.getSubjectX500Principal().getName().contains("agent-egress-firewall"); }
  System.out.println("anchors " + n + " gateway " + gateway); } }
J
egress run -- "$(command -v java)" T.java > out 2>err
grep -q '^anchors' out || { cat out err; exit 2; }
grep -q 'gateway true' out && o=1 || o=0
verdict $o "$(grep anchors out)"
