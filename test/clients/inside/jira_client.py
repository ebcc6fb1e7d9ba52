import os
import sys

from jira import JIRA

jira = JIRA(server=os.environ["JIRA_SERVER"], token_auth=os.environ["JIRA_API_TOKEN"], max_retries=0)
if sys.argv[1] == "allowed":
    found = jira.search_issues("project = DEMO")
    made = jira.create_issue(project="DEMO", summary="Made by an agent", issuetype={"name": "Task"})
    jira.add_comment(made, "A comment")
    print(f"{jira.myself()['name']}, {len(found)} issues, made {made.key}")
else:
    jira.issue("DEMO-1").delete()
    print("deleted")
