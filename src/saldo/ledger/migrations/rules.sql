-- The ledger's rules, where no program can go round them.

-- An account belongs to the company of the row that names it. References are checked a statement at a time:
-- what they point to can never be deleted, so a check at insertion holds for ever.
CREATE FUNCTION saldo_refuse_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never deleted: the ledger refers to them', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER parties_customeraccount_kept BEFORE DELETE OR TRUNCATE ON parties_customeraccount
    FOR EACH STATEMENT EXECUTE FUNCTION saldo_refuse_deletion();
CREATE FUNCTION parties_account_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an account stays with its company: the ledger refers to both'
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER parties_customeraccount_stays BEFORE UPDATE OF id, company_id ON parties_customeraccount
    FOR EACH ROW WHEN (OLD.id <> NEW.id OR OLD.company_id <> NEW.company_id)
    EXECUTE FUNCTION parties_account_moved();

CREATE FUNCTION ledger_account_of_company() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken record;
BEGIN
    SELECT n.account_id, n.company_id INTO broken
      FROM new_rows n
      LEFT JOIN parties_customeraccount a ON a.id = n.account_id AND a.company_id = n.company_id
     WHERE a.id IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'account % is not one of company %', broken.account_id, broken.company_id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'account_of_company';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_invoice_account AFTER INSERT ON ledger_invoice
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger_account_of_company();
CREATE TRIGGER ledger_payment_account AFTER INSERT ON ledger_payment
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger_account_of_company();
CREATE TRIGGER ledger_item_account AFTER INSERT ON ledger_item
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger_account_of_company();

-- Every item is of its document's account, and gets its row of the projection: what it can take, and what is
-- used of it.
CREATE FUNCTION ledger_item_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken record;
BEGIN
    SELECT n.id INTO broken
      FROM new_rows n
      LEFT JOIN ledger_invoice v ON v.id = n.invoice_id
      LEFT JOIN ledger_payment p ON p.id = n.payment_id
     WHERE (n.invoice_id IS NOT NULL AND v.account_id IS DISTINCT FROM n.account_id)
        OR (n.payment_id IS NOT NULL AND p.account_id IS DISTINCT FROM n.account_id)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'item % names a document that is not of its account', broken.id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'item_of_document';
    END IF;
    INSERT INTO ledger_item_open_projection
           (item_id, company_id, account_id, kind, currency, sign, effective_date, due_date, recorded_at,
            cap, used, used_up, has_reversal)
        SELECT id, company_id, account_id, kind, currency, sign(amount), effective_date, due_date, recorded_at,
               abs(amount), 0, false, false
          FROM new_rows;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_item_inserted AFTER INSERT ON ledger_item
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger_item_inserted();

-- Room in each page for the new versions of its rows: an allocation then touches no index.
ALTER TABLE ledger_item_open_projection SET (fillfactor = 60);
CREATE INDEX item_open_reversed ON ledger_item_open_projection (item_id) WHERE has_reversal;

-- Both sides of every allocation, as (item, effect on what is used of it).
CREATE VIEW ledger_allocation_side AS
    SELECT id AS allocation_id, debit_item_id AS item_id, amount, effective_date, recorded_at
      FROM ledger_allocation
    UNION ALL
    SELECT id, credit_item_id, coalesce(credit_amount, amount), effective_date, recorded_at
      FROM ledger_allocation;

CREATE FUNCTION ledger_allocation_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken record;
    touched bigint;
    expected bigint;
BEGIN
    -- What an allocation may join: a debit and a credit of one company, in one currency or with both amounts
    -- and the rate, on a day when both exist and are known.
    SELECT n.id, n.debit_item_id, n.credit_item_id INTO broken
      FROM new_rows n
      LEFT JOIN ledger_item d ON d.id = n.debit_item_id
      LEFT JOIN ledger_item c ON c.id = n.credit_item_id
     WHERE NOT coalesce(
               d.amount > 0 AND c.amount < 0
               AND d.company_id = n.company_id AND c.company_id = n.company_id
               AND ((d.currency = c.currency AND n.credit_amount IS NULL AND n.rate IS NULL)
                    OR (d.currency <> c.currency AND n.credit_amount IS NOT NULL AND n.rate > 0
                        AND sign(n.credit_amount) = sign(n.amount)))
               AND n.effective_date >= d.effective_date AND n.effective_date >= c.effective_date
               AND n.recorded_at >= d.recorded_at AND n.recorded_at >= c.recorded_at,
               false)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'allocation of credit item % to debit item % is not between a debit and a credit of one '
            'company and currency, on a day when both exist', broken.credit_item_id, broken.debit_item_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'allocation_sides';
    END IF;

    -- Lock in id order, so that two sessions cannot wait for each other, then add under CHECK. Rows that this
    -- very transaction made are nobody else's yet.
    PERFORM 1 FROM ledger_item_open_projection p
      WHERE p.item_id IN (SELECT debit_item_id FROM new_rows UNION SELECT credit_item_id FROM new_rows)
        AND p.xmin::text <> pg_current_xact_id()::xid::text
      ORDER BY p.item_id FOR UPDATE;
    WITH side AS (
        SELECT debit_item_id AS item_id, amount, effective_date, recorded_at FROM new_rows
        UNION ALL
        SELECT credit_item_id, coalesce(credit_amount, amount), effective_date, recorded_at FROM new_rows
    ), delta AS (
        SELECT item_id, sum(amount) AS used, bool_or(amount < 0) AS reversal,
               min(effective_date) AS first_date, min(recorded_at) AS first_at,
               max(effective_date) AS last_date, max(recorded_at) AS last_at
          FROM side GROUP BY item_id
    ), changed AS (
        UPDATE ledger_item_open_projection p
           SET used = p.used + delta.used, used_up = (p.used + delta.used = p.cap),
               has_reversal = p.has_reversal OR delta.reversal,
               first_effective_date = least(p.first_effective_date, delta.first_date),
               first_recorded_at = least(p.first_recorded_at, delta.first_at),
               last_effective_date = greatest(p.last_effective_date, delta.last_date),
               last_recorded_at = greatest(p.last_recorded_at, delta.last_at)
          FROM delta WHERE p.item_id = delta.item_id
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM changed), (SELECT count(*) FROM delta) INTO touched, expected;
    IF touched <> expected THEN
        RAISE EXCEPTION 'the open projection lacks % of the items allocated; run saldo rebuild', expected - touched;
    END IF;

    -- Where there is no reversal the sum only grows, and the CHECK above suffices.
    IF NOT EXISTS (
        SELECT 1 FROM ledger_item_open_projection p
         WHERE p.has_reversal
           AND p.item_id IN (SELECT debit_item_id FROM new_rows UNION ALL SELECT credit_item_id FROM new_rows)
    ) THEN
        RETURN NULL;
    END IF;

    -- On no day may more be used than there is, nor less than nothing.
    SELECT running.item_id, running.effective_date INTO broken
      FROM (
          SELECT s.item_id, s.effective_date, p.cap,
                 sum(sum(s.amount)) OVER (PARTITION BY s.item_id ORDER BY s.effective_date) AS used
            FROM ledger_allocation_side s
            JOIN ledger_item_open_projection p ON p.item_id = s.item_id AND p.has_reversal
           WHERE s.item_id IN (SELECT debit_item_id FROM new_rows UNION SELECT credit_item_id FROM new_rows)
           GROUP BY s.item_id, s.effective_date, p.cap
      ) running
     WHERE running.used < 0 OR running.used > running.cap
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'item % would be over-allocated or negative on %', broken.item_id, broken.effective_date
            USING ERRCODE = 'check_violation', CONSTRAINT = 'item_used_within_cap_every_day';
    END IF;

    -- A reversal takes back what was allocated between the same two items, and no more.
    SELECT pair.debit_item_id INTO broken
      FROM (
          SELECT a.debit_item_id, a.credit_item_id,
                 sum(sum(a.amount)) OVER (PARTITION BY a.debit_item_id, a.credit_item_id
                                          ORDER BY a.effective_date) AS allocated
            FROM ledger_allocation a
            JOIN (SELECT DISTINCT debit_item_id, credit_item_id FROM new_rows WHERE amount < 0) n
              ON a.debit_item_id = n.debit_item_id AND a.credit_item_id = n.credit_item_id
           GROUP BY a.debit_item_id, a.credit_item_id, a.effective_date
      ) pair
     WHERE pair.allocated < 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'a reversal on item % takes back more than was allocated', broken.debit_item_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'reversal_within_allocation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_allocation_inserted AFTER INSERT ON ledger_allocation
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger_allocation_inserted();

-- Terms are agreed for a debit, not before it exists.
CREATE FUNCTION ledger_terms_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM new_rows n JOIN ledger_item i ON i.id = n.item_id
         WHERE i.amount < 0 OR n.effective_date < i.effective_date OR n.recorded_at < i.recorded_at
    ) THEN
        RAISE EXCEPTION 'terms are for a debit item, from a day when it exists'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'terms_of_existing_debit';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_terms_inserted AFTER INSERT ON ledger_itemterms
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger_terms_inserted();
