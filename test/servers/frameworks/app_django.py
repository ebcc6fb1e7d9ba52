"""Django with a middleware that takes the method from header, query or form. Arguments: port."""
import os
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.http import HttpResponse
from django.urls import re_path

settings.configure(DEBUG=False, SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, USE_X_FORWARDED_HOST=True)


def record(route):
    def view(request, *_):
        named = request.headers.get("X-HTTP-Method-Override") or request.GET.get("_method") or request.POST.get("_method")
        method = named.upper() if request.method == "POST" and named else request.method
        line = f"{method} {route} {request.get_host()}\n"
        with open(os.environ["EXECUTED"], "a") as file:
            file.write(line)
        return HttpResponse(line)

    return view


urlpatterns = [re_path(r"(?i)^api/+admin(?![a-z])", record("/api/admin")), re_path(r"", record("/api/other"))]
django.setup()
call_command("runserver", f"127.0.0.1:{sys.argv[1]}", "--noreload", "--nothreading")
