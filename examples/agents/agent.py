"""An example agent with requests: it reads the open issues, asks a model, and files a new one.

Nothing in it knows of the gateway. Its tokens are worthless placeholders; Jira and the model see the real ones.
"""

import os
import sys

import requests

JIRA = os.environ.get("JIRA_SERVER", "https://jira.demo.example")
LLM = "https://llm.demo.example"
jira = requests.Session()
jira.headers["authorization"] = f"Bearer {os.environ.get('JIRA_TOKEN', '')}"

try:
    issues = jira.get(f"{JIRA}/rest/api/2/search", params={"jql": "status=Open"}, timeout=30)
except requests.RequestException as error:
    sys.exit(f"agent: {JIRA} cannot be reached: {error}")
if not issues.ok:
    sys.exit(f"agent: the gateway answered {issues.status_code}: {issues.text.strip()}")
found = [issue["fields"]["summary"] for issue in issues.json()["issues"]]
print(f"agent: {len(found)} open issues ({'; '.join(found)})")

answer = requests.post(
    f"{LLM}/v1/messages",
    headers={"x-api-key": os.environ.get("LLM_API_KEY", "")},
    json={"messages": [{"role": "user", "content": f"Which comes first? {found}"}]},
    timeout=30,
)
answer.raise_for_status()
print(f"agent: the model answered {answer.status_code}, {len(answer.content)} bytes")

filed = jira.post(f"{JIRA}/rest/api/2/issue", json={"fields": {"summary": "Follow the advice"}}, timeout=30)
filed.raise_for_status()
print(f"agent: filed {filed.json()['key']}")

denied = jira.delete(f"{JIRA}/rest/api/2/issue/DEMO-1", timeout=30)
print(f"agent: DELETE was denied with {denied.status_code} ({denied.json()['reason']})")
