#!/bin/bash
# A listed name that does not exist (yet, any more, for a moment) is looked up below the host's search domains; who answers there gets the request
set -u; : "${EGRESS:?path of a built checkout}"; export EGRESS here=$(cd "$(dirname "$0")" && pwd) W=$(mktemp -d)
printf 'nameserver 127.0.0.1\nsearch corp.test\n' > $W/resolv.conf
printf 'services:\n  partner: { url: "http://api.partner.example:8080", credential: { bearer: "${T}" }, rules: [{ allow: "* /**" }], allow_plaintext: true, allow_private_addresses: true }\n' > $W/egress.yaml
T=real-token-0123456789 unshare -mn bash $here/inner.sh; echo "the server of the search domain got: $(cat $W/got 2>/dev/null)"
[ -s $W/got ] && exit 1; exit 0
