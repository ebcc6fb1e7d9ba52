import os
import sys

import jenkins

said = []
for host in sys.argv[1:]:
    server = jenkins.Jenkins(
        f"https://{host}", username=os.environ["JENKINS_USER_ID"], password=os.environ["JENKINS_API_TOKEN"]
    )
    said.append(f"{server.get_whoami()['fullName']}, build {server.build_job('app')}")
print("; ".join(said))
