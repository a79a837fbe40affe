from django.db import migrations

# An end took all that was left of the dispute: it is the resolution of its items' whole amounts.
TAKE_OVER = """
INSERT INTO disputes_disputeentry
       (dispute_id, kind, outcome, amount, owner, due_date, document_id, note, effective_date, actor, recorded_at)
SELECT e.dispute_id, 'resolution', e.outcome,
       (SELECT sum(i.amount) FROM disputes_disputeitem i WHERE i.dispute_id = e.dispute_id),
       '', NULL, NULL, e.note, e.effective_date, e.actor, e.recorded_at
  FROM disputes_disputeend e ORDER BY e.id;
INSERT INTO disputes_disputesettlement (entry_id, item_id, amount)
SELECT e.id, i.item_id, i.amount
  FROM disputes_disputeentry e JOIN disputes_disputeitem i ON i.dispute_id = e.dispute_id
 WHERE e.kind = 'resolution' ORDER BY e.id, i.id;
SET CONSTRAINTS ALL IMMEDIATE;
"""


class Migration(migrations.Migration):
    dependencies = [("disputes", "0005_cases")]

    operations = [
        migrations.RunSQL(TAKE_OVER, migrations.RunSQL.noop),
        migrations.DeleteModel(name="DisputeEnd"),
    ]
