"""Addresses: the staff's pages."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("", include("saldo.interfaces.web.urls"))]
