"""Imports: upload, look at what would be read, start, follow, and see what was refused."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from saldo.core.errors import SaldoError
from saldo.flows.import_documents import receive
from saldo.flows.inspect_documents import inspect_file
from saldo.flows.jobs import defer_confirmation, defer_import
from saldo.formats.tabular.mapping import importable_profile_names
from saldo.identity.queries import may_import_anywhere
from saldo.intake.queries import BatchRow, batch, batches, rejection_counts, rejections_of
from saldo.interfaces import clock
from saldo.interfaces.web import mapping_form, uploads
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.views.worklist import parse_offset

RECENT = 50
REJECTIONS = 50
CSV_BLOCK = 1000
SUGGESTED = ""
CASH_KINDS = frozenset({"bank", "remittances"})
TABLE_SUFFIXES = frozenset({"csv", "tsv", "xlsx", "xls"})


def _may_import(desk: Desk) -> bool:
    return desk.may_import


@page(_may_import)
@require_http_methods(["GET", "POST"])
def imports_page(request: HttpRequest) -> HttpResponse:
    """Past imports, and the form to upload files: each is looked at before anything is written."""
    if request.method == "POST":
        files = request.FILES.getlist("files")
        too_large = [file.name for file in files if (file.size or 0) > settings.MAX_UPLOAD_BYTES]
        kept = [uploads.keep(request.session, file) for file in files if file.name not in too_large]
        for name in too_large:
            messages.error(request, _("%(name)s is too large.") % {"name": name})
        if kept:
            return redirect("import_preview", token=kept[0].token)
        if not files:
            messages.error(request, _("Choose at least one file."))
        return redirect("imports")
    shown = {
        "batches": [row for row in batches(request.desk.ctx, RECENT) if _may_read(request, row)],
        "waiting": uploads.waiting(request.session),
        "limit_bytes": settings.MAX_UPLOAD_BYTES,
    }
    return render(request, "web/imports/page.html", shown)


def _may_read(request: HttpRequest, row: BatchRow) -> bool:
    """A batch of one company is for those who work there; one of several, for who sent it or runs Saldo."""
    desk: Desk = request.desk
    if row.company_id is not None:
        return row.company_id in {company.id for company in desk.companies}
    return desk.is_administrator or row.actor == desk.ctx.actor or request.user.is_superuser


def _batch(request: HttpRequest, batch_id: int) -> BatchRow:
    row = batch(batch_id)
    if not _may_read(request, row):
        raise Http404
    return row


def _whole_text(toml: str) -> str:
    """A profile's text as it comes from a form. A text of one line would be taken for the name of a file on
    the server, so there are always two."""
    text = toml.replace("\r\n", "\n").strip()
    return f"{text}\n\n" if text else ""


def _profile(request: HttpRequest) -> str | None:
    """The profile asked for: the text as changed in the form, a shipped one by name, or None."""
    form = request.POST
    if form.get("profile") and form.get("profile") != form.get("profile_was"):
        return form["profile"] if form["profile"] in importable_profile_names() else None
    if toml := _whole_text(form.get("toml", "")):
        if toml == _whole_text(form.get("toml_was", "")):
            return mapping_form.changed(toml, form.get("profile_was") or "suggested", form.dict())
        return toml
    name = request.GET.get("profile", "")
    return name if name in importable_profile_names() else None


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


@page(_may_import)
@require_http_methods(["GET", "POST"])
def preview_page(request: HttpRequest, token: str) -> HttpResponse:
    """What a file would become, with the choices that lead there. Nothing is written until "start"."""
    upload = uploads.find(request.session, token)
    if upload is None:
        messages.error(request, _("The file is no longer here: upload it again."))
        return redirect("imports")
    if request.POST.get("do") == "discard":
        uploads.forget(request.session, upload)
        return redirect("imports")
    data = upload.path.read_bytes()
    shown: dict[str, Any] = {"upload": upload, "profiles": importable_profile_names(), "today": clock.today()}
    inspection, error = _inspected(request, upload, data)
    shown["error"] = error
    if inspection is None:
        return _preview(request, shown | {"toml": request.POST.get("toml", ""), "inspection": None})
    alike = [other for other in uploads.waiting(request.session) if _same_kind(other, upload)]
    needs_no_mapping = inspection.mapping_toml is None
    if error is None and request.POST.get("do") == "start_all" and needs_no_mapping:
        return _start_all(request, alike)
    if error is None and request.POST.get("do") == "start":
        return _start(request, upload, data, inspection)
    shown["alike"] = alike if needs_no_mapping else []
    shown["column_words"] = "bank_column" if inspection.kind in CASH_KINDS else "column"
    profile = mapping_form.readable(inspection.mapping_toml, inspection.mapping_name or upload.name)
    shown |= {"inspection": inspection, "toml": inspection.mapping_toml or "", "profile": profile}
    if profile is not None:
        shown["choices"] = mapping_form.column_choices(profile, inspection.columns)
        shown["date_patterns"] = mapping_form.date_patterns(profile)
    shown |= {
        "company_choice": _company_choice(request, profile),
        "anywhere": may_import_anywhere(request.user),
    }
    shown["preview_columns"] = _filled_columns(inspection.preview)
    return _preview(request, shown)


def _inspected(request: HttpRequest, upload: uploads.Upload, data: bytes) -> tuple[Any, SaldoError | None]:
    """The file as the choices read it; where they cannot, the error beside the last reading that could."""
    ctx = request.desk.ctx
    try:
        return inspect_file(ctx, upload.name, data, _profile(request)), None
    except SaldoError as error:
        last = _whole_text(request.POST.get("toml_was", ""))
        try:
            return (inspect_file(ctx, upload.name, data, last) if last else None), error
        except SaldoError:
            return None, error


def _preview(request: HttpRequest, shown: dict[str, Any]) -> HttpResponse:
    part = request.htmx and request.htmx.target == "preview"
    return render(request, "web/imports/_preview.html" if part else "web/imports/preview.html", shown)


def _filled_columns(rows: list[dict[str, Any]]) -> list[str]:
    """The columns of the preview that hold something: empty ones only take room."""
    names = rows[0].keys() if rows else ()
    hidden = {"excerpt", "row"}
    return [
        name
        for name in names
        if name not in hidden and any(row.get(name) not in (None, "", 0) for row in rows)
    ]


def _company(request: HttpRequest) -> str | None:
    """The company whose file it is. Only who imports for all of them may leave it to the file."""
    desk: Desk = request.desk
    asked = request.POST.get("company", "")
    if asked in {company.code for company in desk.companies}:
        return asked
    if may_import_anywhere(request.user) or desk.company is None:
        return None
    return desk.company.code


def _company_choice(request: HttpRequest, profile: Any) -> str:
    """What the form proposes: the company at hand, unless the file itself names one."""
    if "company" in request.POST:
        return request.POST["company"]
    desk: Desk = request.desk
    names_one = profile is None or "company_code" in profile.wanted()
    return "" if names_one or desk.company is None else desk.company.code


def _start(request: HttpRequest, upload: uploads.Upload, data: bytes, inspection: Any) -> HttpResponse:
    """Store the bytes and defer the import, in one transaction."""
    desk: Desk = request.desk
    with transaction.atomic():
        batch_id = receive(
            desk.ctx, upload.name, data, inspection.kind, inspection.mapping_toml,
            inspection.mapping_name or "", company_code=_company(request),
            as_at=_day(request.POST.get("as_at", "")),
        )  # fmt: skip
        defer_import(batch_id, request.LANGUAGE_CODE)
    uploads.forget(request.session, upload)
    address = reverse("batch", args=[batch_id])
    if request.htmx:
        return HttpResponse(headers={"HX-Redirect": address})
    return redirect(address)


def _same_kind(one: uploads.Upload, other: uploads.Upload) -> bool:
    """Whether both need no mapping by their names (tables do), so that they can start together."""
    suffixes = {upload.name.lower().rpartition(".")[2] for upload in (one, other)}
    return not suffixes & TABLE_SUFFIXES


def _start_all(request: HttpRequest, alike: list[uploads.Upload]) -> HttpResponse:
    """Every file that waits and needs no mapping, each in a batch of its own; what cannot be read stays."""
    for upload in alike:
        data = upload.path.read_bytes()
        try:
            kind = inspect_file(request.desk.ctx, upload.name, data).kind
        except SaldoError as error:
            messages.error(request, f"{upload.name}: {error.text(request.LANGUAGE_CODE)}")
            continue
        with transaction.atomic():
            batch_id = receive(request.desk.ctx, upload.name, data, kind, company_code=_company(request))
            defer_import(batch_id, request.LANGUAGE_CODE)
        uploads.forget(request.session, upload)
    messages.success(request, _("%(count)d files are being read.") % {"count": len(alike)})
    address = reverse("imports")
    return HttpResponse(headers={"HX-Redirect": address}) if request.htmx else redirect(address)


@page(_may_import)
@require_GET
def batch_page(request: HttpRequest, batch_id: int) -> HttpResponse:
    """One import: how far it is, what came of it, what was refused. htmx asks again until it has ended."""
    row = _batch(request, batch_id)
    counts = row.counts or {}
    total, read = counts.get("total_rows") or 0, counts.get("rows") or 0
    offset = parse_offset(request.GET.get("offset", ""))
    shown: dict[str, Any] = {
        "batch": row, "running": row.status in ("queued", "running"),
        "share": min(1.0, read / total) if total else None, "is_cash": row.kind in CASH_KINDS,
        "waiting": uploads.waiting(request.session),
    }  # fmt: skip
    if not shown["running"]:
        refused = rejections_of(batch_id, REJECTIONS + 1, offset)
        shown |= {
            "rejections": refused[:REJECTIONS], "offset": offset, "by_code": rejection_counts(batch_id),
            "next": offset + REJECTIONS if len(refused) > REJECTIONS else None,
            "previous": max(0, offset - REJECTIONS) if offset else None,
        }  # fmt: skip
    part = request.htmx and request.htmx.target == "progress"
    if part and not shown["running"]:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "web/imports/_progress.html" if part else "web/imports/batch.html", shown)


class _Echo:
    """A file for csv.writer that hands each line back."""

    def write(self, line: str) -> str:
        return line


def _safe_cell(value: Any) -> str:
    """A cell that a spreadsheet takes for text, not for a formula."""
    text = str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _csv_lines(batch_id: int, language: str) -> Iterator[str]:
    writer = csv.writer(_Echo(), delimiter=";" if language == "it" else ",")
    yield "\ufeff" + writer.writerow([_("Where"), _("Text"), _("Code"), _("Why"), _("What to do")])
    offset = 0
    while block := rejections_of(batch_id, CSV_BLOCK, offset):
        for row in block:
            cells = (row.where, row.excerpt, row.code, row.why(language), row.remedy(language))
            yield writer.writerow([_safe_cell(cell) for cell in cells])
        offset += len(block)


@page(_may_import)
@require_GET
def rejections_csv(request: HttpRequest, batch_id: int) -> StreamingHttpResponse:
    """What was refused, as a file for the person who mends the export."""
    _batch(request, batch_id)
    lines = list(_csv_lines(batch_id, request.LANGUAGE_CODE))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="rejections-{batch_id}.csv"'
    return response


@page(_may_import)
@require_POST
def confirm(request: HttpRequest, batch_id: int) -> HttpResponse:
    """A person confirms that what vanished from a complete export is closed."""
    row = _batch(request, batch_id)
    if row.status == "asks":
        with transaction.atomic():
            defer_confirmation(batch_id, request.desk.ctx.actor, request.LANGUAGE_CODE)
        messages.success(request, _("The items that vanished are being closed."))
    return redirect("batch", batch_id=batch_id)
