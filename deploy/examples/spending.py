"""Prints what each user spent in a period, with a client generated from openapi.json.

    pip install openapi-python-client
    openapi-python-client generate --path nginx/html/openapi.json --output-path orbital_client --meta none
    python3 spending.py http://localhost:8000 2024-01-01 2024-02-01
"""

import os
import sys

from orbital_client import AuthenticatedClient
from orbital_client.api.usage import list_attributions, list_usage
from orbital_client.models import Problem

url, start, end = sys.argv[1:]
client = AuthenticatedClient(url, os.environ["KEY"], raise_on_unexpected_status=True)


def checked(response):
    """The response, unless it is a problem."""
    if isinstance(response, Problem):
        sys.exit(f"{response.status} {response.detail}")
    return response


users = checked(list_attributions.sync(client=client, of="user_id", from_=start, to=end, limit=10))
for user in users.values:
    print(f"{user.value}: {user.credits_used:.2f} credits, messages: {user.messages}")
    page = checked(list_usage.sync(client=client, user_id=[user.value], from_=start, to=end, limit=3))
    for record in page.usage:
        print(f"    {record.timestamp:%Y-%m-%d %H:%M}  {record.credits_used:.2f}")
