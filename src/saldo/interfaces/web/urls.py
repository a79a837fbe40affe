"""Addresses of the staff's pages."""

from __future__ import annotations

from django.urls import path

from saldo.interfaces.web.views import (
    accounts,
    banks,
    cash,
    cash_settings,
    dashboard,
    days,
    imports,
    search,
    session,
    settings,
    unapplied,
    worklist,
)

urlpatterns = [
    path("", worklist.worklist_page, name="worklist"),
    path("worklist/<int:action_id>/", worklist.action_page, name="action"),
    path("accounts/", accounts.accounts_page, name="accounts"),
    path("accounts/<int:account_id>/", accounts.account_page, name="account"),
    path("accounts/<int:account_id>/statement/", accounts.statement_page, name="statement"),
    path("accounts/<int:account_id>/lines/", accounts.account_lines, name="account_lines"),
    path("accounts/<int:account_id>/outcome/", worklist.record, name="outcome"),
    path("cash/", cash.desk_page, name="cash"),
    path("cash/apply/", cash.apply_page, name="cash_apply"),
    path("cash/lines/<int:line_id>/", cash.line_page, name="cash_line"),
    path("cash/lines/<int:line_id>/find/", cash.find_page, name="cash_find"),
    path("cash/lines/<int:line_id>/post/", cash.post_page, name="cash_post"),
    path("cash/lines/<int:line_id>/undo/", cash.undo_page, name="cash_undo"),
    path("cash/unapplied/", unapplied.unapplied_page, name="unapplied"),
    path("cash/unapplied/<int:item_id>/", unapplied.item_page, name="unapplied_item"),
    path("cash/accounts/", banks.accounts_page, name="bank_accounts"),
    path("cash/accounts/<int:bank_id>/", banks.account_page, name="bank_account"),
    path("cash/statements/<int:statement_id>/release/", banks.release_page, name="release_statement"),
    path("cash/learnt/", cash_settings.aliases_page, name="cash_aliases"),
    path("cash/learnt/<int:alias_id>/withdraw/", cash_settings.withdraw_page, name="withdraw_alias"),
    path("cash/rules/", cash_settings.policy_page, name="cash_policy"),
    path("imports/", imports.imports_page, name="imports"),
    path("imports/new/<str:token>/", imports.preview_page, name="import_preview"),
    path("imports/<int:batch_id>/", imports.batch_page, name="batch"),
    path("imports/<int:batch_id>/rejections.csv", imports.rejections_csv, name="rejections_csv"),
    path("imports/<int:batch_id>/confirm/", imports.confirm, name="confirm_closures"),
    path("dashboard/", dashboard.dashboard_page, name="dashboard"),
    path("day/", days.run_day, name="run_day"),
    path("day/wait/", days.wait_page, name="day_wait"),
    path("search/", search.search, name="search"),
    path("settings/", settings.settings_page, name="settings"),
    path("settings/company/", settings.choose_company, name="choose_company"),
    path("login/", session.Login.as_view(), name="login"),
    path("logout/", session.Logout.as_view(), name="logout"),
    path("login/language/", session.choose_language, name="choose_language"),
]
