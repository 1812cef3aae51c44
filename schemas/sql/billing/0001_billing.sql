-- Billing: the account, its invoices, and the counters that number them.
SELECT platform.create_context();

-- A tenant has one account, which goes by the tenant's own UUID.
CREATE TABLE accounts (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL CHECK (id = tenant_id),
    state text NOT NULL CHECK (state IN ('open')),
    opened_at timestamptz NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    PRIMARY KEY (tenant_id, id)
);
SELECT platform.protect('accounts', 'SELECT, INSERT');

-- The last number given out in a series. Locked by whoever takes the next one until that has committed: this is what
-- keeps the numbers without a gap, and a sequence would not.
CREATE TABLE invoice_counters (
    tenant_id uuid NOT NULL,
    series text NOT NULL CHECK (series ~ '^[A-Z]{1,10}$'),
    last bigint NOT NULL CHECK (last > 0),
    PRIMARY KEY (tenant_id, series)
) WITH (fillfactor = 50);
SELECT platform.protect('invoice_counters', 'SELECT, INSERT');
GRANT UPDATE (last) ON invoice_counters TO billing_app;

CREATE TABLE invoices (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    series text NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    account_id uuid NOT NULL,
    order_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    total_minor bigint NOT NULL CHECK (total_minor >= 0),
    state text NOT NULL CHECK (state IN ('issued', 'void')),
    issued_at timestamptz NOT NULL,
    voided_at timestamptz,
    void_reason text,
    version bigint NOT NULL CHECK (version > 0),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT invoices_number_key UNIQUE (tenant_id, series, sequence),
    -- An order is invoiced once, whatever happens to that invoice.
    CONSTRAINT invoices_order_key UNIQUE (tenant_id, order_id),
    CONSTRAINT invoices_voided_with_reason
        CHECK ((state = 'void') = (voided_at IS NOT NULL) AND (voided_at IS NULL) = (void_reason IS NULL)),
    FOREIGN KEY (tenant_id, account_id) REFERENCES accounts (tenant_id, id)
);
SELECT platform.protect('invoices', 'SELECT, INSERT');
-- What an invoice says is never changed, and none is deleted.
GRANT UPDATE (state, voided_at, void_reason, version) ON invoices TO billing_app;
-- Lists go newest first; identifiers are made in the order of time.
CREATE INDEX invoices_by_state ON invoices (tenant_id, state, id DESC);
CREATE INDEX invoices_by_customer ON invoices (tenant_id, customer_id, id DESC);

CREATE TABLE invoice_lines (
    tenant_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    number int NOT NULL CHECK (number > 0),
    sku text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    unit_price_minor bigint NOT NULL CHECK (unit_price_minor >= 0),
    amount_minor bigint NOT NULL CHECK (amount_minor = quantity * unit_price_minor),
    PRIMARY KEY (tenant_id, invoice_id, number),
    FOREIGN KEY (tenant_id, invoice_id) REFERENCES invoices (tenant_id, id)
);
SELECT platform.protect('invoice_lines', 'SELECT, INSERT');
