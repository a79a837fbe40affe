"""What to do: actions of a day with their reasons, and what became of each."""

from __future__ import annotations

from django.db import models
from django.db.models import Q, Value

from saldo.identity.models import Company, DayRun
from saldo.intake.models import Document
from saldo.parties.models import Customer, CustomerAccount


class Action(models.Model):
    """A decided deed for one account in one run of the day, with its rank and reasons."""

    day_run = models.ForeignKey(DayRun, on_delete=models.CASCADE)
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT)
    rank = models.PositiveIntegerField()
    block = models.CharField(max_length=8)
    kind = models.CharField(max_length=12)
    minutes = models.FloatField()
    currency = models.CharField(max_length=3)
    value = models.DecimalField(max_digits=18, decimal_places=3)
    value_per_minute = models.DecimalField(max_digits=18, decimal_places=3)
    overdue = models.DecimalField(max_digits=18, decimal_places=3)
    open = models.DecimalField(max_digits=18, decimal_places=3)
    oldest_days = models.IntegerField()
    p30 = models.FloatField()
    rung = models.CharField(max_length=12)
    reasons = models.JSONField(default=list)
    # What of the overdue may be asked today: the rest is promised, disputed, held, in a plan or under way.
    to_collect = models.DecimalField(max_digits=18, decimal_places=3, default=0, db_default=0)
    # Whose list it is on ("" on everybody's), and whether the day's minutes of that person reach it.
    collector = models.CharField(max_length=150, blank=True, default="", db_default="")
    is_planned = models.BooleanField(default=True, db_default=True)
    # What else could be done: [{action, minutes, value_mills, gain_mills}], the best first.
    alternatives = models.JSONField(default=list, db_default=Value([], models.JSONField()))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day_run", "account", "currency"], name="action_once")]
        indexes = [
            models.Index(fields=["day_run", "rank"], name="action_rank"),
            models.Index(fields=["day_run", "collector", "rank"], name="action_collector"),
        ]


class Outcome(models.Model):
    """What a person did with an action: done, skipped or undone, with a note. Append-only.

    channel, result: how, and what came of it (core.outcomes), "" where nobody said. skip_reason: why an
    action was passed over. delay_reason: why the customer says it is late. call_back_at: the hour at which to
    call again; follow_up_date is its day. seconds: how long it took. data: what it recorded besides
    ({promise_id, dispute_id, hold_id, ...}), so that it can be taken back whole.
    """

    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT)
    as_of = models.DateField()
    state = models.CharField(max_length=8)
    channel = models.CharField(max_length=8, blank=True, default="")
    result = models.CharField(max_length=20, blank=True, default="")
    skip_reason = models.CharField(max_length=20, blank=True, default="")
    delay_reason = models.CharField(max_length=20, blank=True, default="")
    contact_id = models.BigIntegerField(null=True)
    seconds = models.PositiveIntegerField(null=True)
    note = models.TextField(blank=True, default="")
    follow_up_date = models.DateField(null=True)
    call_back_at = models.DateTimeField(null=True)
    data = models.JSONField(default=dict)
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["account", "recorded_at"], name="outcome_account"),
            models.Index(
                fields=["call_back_at"], name="outcome_call_back", condition=Q(call_back_at__isnull=False)
            ),
        ]


class Attention(models.Model):
    """Who is at an account just now, on the phone with it. No fact: rewritten, and gone with the call."""

    account = models.OneToOneField(CustomerAccount, on_delete=models.CASCADE, primary_key=True)
    actor = models.CharField(max_length=150)
    since = models.DateTimeField()


class Assignment(models.Model):
    """The account is this collector's from from_date on ("" gives it back to everybody). Append-only; of the
    rows that have begun the last recorded counts. until_date: the last day of a stand-in."""

    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT, related_name="assignments")
    collector = models.CharField(max_length=150, blank=True)
    from_date = models.DateField()
    until_date = models.DateField(null=True)
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["account", "recorded_at"], name="assignment_account"),
            models.Index(fields=["recorded_at"], name="assignment_recorded"),
        ]


class Capacity(models.Model):
    """Minutes a day that a collector has for the list of a company, from from_date to until_date (null: on).
    0: away. Append-only; of the rows that hold on a day the last recorded counts."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    collector = models.CharField(max_length=150)
    minutes = models.PositiveSmallIntegerField()
    from_date = models.DateField()
    until_date = models.DateField(null=True)
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class VisitRound(models.Model):
    """A day of visits of one person: accounts in the order of the way. Append-only; the last recorded of a
    person and day counts. stops: [{account_id, area, address, minutes}]."""

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    collector = models.CharField(max_length=150)
    day = models.DateField()
    stops = models.JSONField(default=list)
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class Hold(models.Model):
    """A pause: nothing is asked of the account (or of one item) from from_date to until_date, both included.

    Append-only; HoldEnd ends it earlier.
    """

    company_id = models.IntegerField()
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT, related_name="holds")
    item_id = models.BigIntegerField(null=True)
    from_date = models.DateField()
    until_date = models.DateField()
    reason = models.CharField(max_length=20)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, null=True, related_name="+")
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(until_date__gte=models.F("from_date")), name="hold_ends_after_it_begins"
            )
        ]


class HoldEnd(models.Model):
    hold = models.OneToOneField(Hold, on_delete=models.PROTECT, related_name="end")
    effective_date = models.DateField()
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class PlaybookVersion(models.Model):
    """One version of a playbook as it was saved: TOML, validated. Append-only.

    digest: hash of the content, so that saving the same again makes no version.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    code = models.CharField(max_length=40)
    version = models.PositiveIntegerField()
    content = models.TextField()
    digest = models.CharField(max_length=64)
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["company", "code", "version"], name="playbook_version_once")
        ]


class PlaybookActivation(models.Model):
    """From recorded_at on this version is in force (or, is_active false, the playbook is retired).

    Append-only: the one in force at an instant is the last one recorded by then. The actor is not who wrote
    the version.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    code = models.CharField(max_length=40)
    playbook = models.ForeignKey(PlaybookVersion, on_delete=models.PROTECT, related_name="activations")
    is_active = models.BooleanField(default=True)
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["company", "code", "recorded_at"], name="playbook_in_force")]


class SegmentChoice(models.Model):
    """A person put the account into a segment, whatever the rules say ("" gives it back to the rules)."""

    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT, related_name="segment_choices")
    segment = models.CharField(max_length=40, blank=True)
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class ItemLevel(models.Model):
    """The reminder level that an item had before Saldo wrote about it: imported past reminders, or the
    starting level that a person chose at the cut-over. reached_date: the day of that reminder. Append-only;
    the last row of an item counts."""

    class Origin(models.TextChoices):
        IMPORTED = "imported"
        CHOSEN = "chosen"

    company_id = models.IntegerField()
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT)
    item_id = models.BigIntegerField()
    level = models.PositiveSmallIntegerField()
    reached_date = models.DateField()
    origin = models.CharField(max_length=10, choices=Origin.choices)
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["item_id", "recorded_at"], name="item_level")]


class PlaybookAction(models.Model):
    """What a playbook decided for an account on a day: which step, by which channel, about which items.

    track: "soon" (what falls due), "overdue", "thanks". items: [{item_id, asked_mills, level, level_before,
    due_date}]. blocked: the code of what held it back on the day ("" if nothing did): it is then not sent but
    shown. Rewritten with a new version of the day, so what was sent refers to its own.
    """

    day_run = models.ForeignKey(DayRun, on_delete=models.PROTECT)
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT)
    currency = models.CharField(max_length=3)
    track = models.CharField(max_length=8)
    playbook = models.ForeignKey(PlaybookVersion, on_delete=models.PROTECT, related_name="+")
    step = models.CharField(max_length=40)
    level = models.PositiveSmallIntegerField()
    channel = models.CharField(max_length=8)
    template = models.CharField(max_length=40)
    tone = models.CharField(max_length=10)
    mode = models.CharField(max_length=10)
    owner = models.CharField(max_length=20, blank=True, default="")
    contact_id = models.BigIntegerField(null=True)
    asked = models.DecimalField(max_digits=18, decimal_places=3)
    items = models.JSONField(default=list)
    blocked = models.CharField(max_length=24, blank=True, default="")
    reasons = models.JSONField(default=list)
    # The Experiment whose arm did the step, if one did.
    experiment_id = models.BigIntegerField(null=True)
    arm = models.CharField(max_length=40, blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day_run", "account", "currency", "track"], name="playbook_action_once"
            )
        ]


class PlaybookDecision(models.Model):
    """A person approved or refused an action that waits for approval. Append-only; one for each action."""

    action = models.OneToOneField(PlaybookAction, on_delete=models.PROTECT, related_name="decision")
    is_approved = models.BooleanField()
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()


class Experiment(models.Model):
    """Ways to do a step of a playbook tried side by side on customers drawn by lot. Append-only;
    ExperimentEnd ends it. docs/rules/experiments.md.

    step_text: the step with its arms as it was then (TOML); arms: their codes, the step as written first.
    effect, alpha, power, horizon_days: what it is to find and how surely (core.experiments.Design).
    customers, mean, variance: what the size was computed with; needed: customers that each arm takes.
    until_date: the last day on which customers come in. salt: what the lot is drawn with.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT)
    playbook_code = models.CharField(max_length=40)
    step = models.CharField(max_length=40)
    step_text = models.TextField()
    arms = models.JSONField()
    salt = models.CharField(max_length=32)
    effect = models.FloatField()
    alpha = models.FloatField()
    power = models.FloatField()
    horizon_days = models.PositiveSmallIntegerField()
    needed = models.PositiveIntegerField()
    customers = models.PositiveIntegerField()
    mean = models.FloatField(null=True)
    variance = models.FloatField()
    from_date = models.DateField()
    until_date = models.DateField()
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["company", "from_date"], name="experiment_company")]


class ExperimentEntry(models.Model):
    """A customer for whom the step came due for the first time: from this day on it is looked at, whatever
    arm it is in and whether or not anything was sent. Append-only.

    items: [{item_id, asked_mills}] that the step was about.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.PROTECT, related_name="entries")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+")
    account = models.ForeignKey(CustomerAccount, on_delete=models.PROTECT, related_name="+")
    arm = models.CharField(max_length=40)
    currency = models.CharField(max_length=3)
    items = models.JSONField()
    entered_date = models.DateField()
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["experiment", "customer"], name="experiment_entry_once")
        ]


class ExperimentEnd(models.Model):
    """Everybody gets the step as it is written again. reason: "person", "harm" (an arm did harm: the machine
    stopped it), "decided"."""

    class Reason(models.TextChoices):
        PERSON = "person"
        HARM = "harm"
        DECIDED = "decided"

    experiment = models.OneToOneField(Experiment, on_delete=models.PROTECT, related_name="end")
    reason = models.CharField(max_length=10, choices=Reason.choices)
    data = models.JSONField(default=dict)
    note = models.TextField(blank=True, default="")
    as_of = models.DateField()
    actor = models.CharField(max_length=150)
    recorded_at = models.DateTimeField()
