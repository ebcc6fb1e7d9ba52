#!/bin/bash
# Java finds no trust anchor at all in the sandbox
# source: docker/sbx-releases#515, anthropics/claude-code#16222
. "$(dirname "$0")/../lib/case.sh"
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
